package clients

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Bounds of a client's secrets.
const (
	MaxLiveSecrets = 5
	DefaultGrace   = 24 * time.Hour
	MaxGrace       = 30 * 24 * time.Hour
)

var (
	errNoSecret  = apierr.New(apierr.NotFound, "this client has no secret with this id")
	errTooMany   = apierr.New(apierr.Conflict, "this client already has five live secrets: end one first, or rotate with grace 0s")
	errGrace     = apierr.New(apierr.InvalidRequest, "grace must be a duration from 0s to 30d, such as 24h").At("grace")
	errNotActive = apierr.New(apierr.Conflict, "this client is deactivated: reactivate it first")
)

// Secrets returns the client's live secrets, oldest first, with their last use,
// which is a few seconds behind.
// Errors: apierr.NotFound.
func (s *Service) Secrets(ctx context.Context, id string) ([]SecretView, error) {
	c, err := s.Registry.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	uses, err := s.o.Uses.ListUses(ctx, store.PrincipalClient(id))
	if err != nil {
		return nil, err
	}
	views := []SecretView{}
	for _, secret := range c.Secrets {
		if !secret.Live(s.o.Now()) {
			continue
		}
		views = append(views, viewSecret(&secret, lastuse.ViewOf(uses, secret.ID)))
	}
	return views, nil
}

// EndSecret ends one secret at once. With void it also ends everything that was made with
// the secret, as VoidSecret does. Without, tokens and API keys live on. Ending a secret
// that has ended is not an error, so that its tokens can be voided later.
// Errors: apierr.NotFound.
func (s *Service) EndSecret(ctx context.Context, by audit.Actor, id, secretID string, void bool) error {
	if void {
		_, err := s.VoidSecret(ctx, by, id, secretID)
		return err
	}
	_, err := s.endSecret(ctx, by, id, secretID, false)
	return err
}

// VoidSecret ends one secret at once, with every token that it minted and every API key
// that these made. keys are the ids of those keys. They can outlive what the client's
// record says of the secret: it is no error if that has been forgotten.
// Errors: apierr.NotFound: there is no such secret, and no key that was made with it.
func (s *Service) VoidSecret(ctx context.Context, by audit.Actor, id, secretID string) (keys []string, err error) {
	c, err := s.endSecret(ctx, by, id, secretID, true)
	if err != nil && !errors.Is(err, errNoSecret) {
		return nil, err
	}
	keys, failed := s.endKeys(ctx, by, &c, secretID)
	if failed != nil || len(keys) > 0 {
		return keys, failed
	}
	return nil, err
}

// endKeys ends the API keys that the client made with the secret, whose tokens must be
// void, and returns their ids.
func (s *Service) endKeys(ctx context.Context, by audit.Actor, c *store.Client, secretID string) ([]string, error) {
	if s.o.Keys == nil || c.ID == "" {
		return nil, nil
	}
	return s.o.Keys.EndMadeWith(ctx, by, c.OrgID, store.KeyOrigin{ClientID: c.ID, SecretID: secretID})
}

// endSecret is EndSecret without the API keys.
func (s *Service) endSecret(ctx context.Context, by audit.Actor, id, secretID string, void bool) (store.Client, error) {
	return s.Registry.Change(ctx, registry.Step[store.Client]{
		By: by, Action: "end_secret", ID: id,
		Edit: func(c *store.Client) error {
			now := s.Registry.Now()
			c.Secrets = slices.Clone(c.Secrets)
			for i := range c.Secrets {
				if c.Secrets[i].ID == secretID {
					endNow(&c.Secrets[i], now, by.Name)
					return nil
				}
			}
			return errNoSecret
		},
		Entries: func() []store.Entry {
			if !void {
				return nil
			}
			return []store.Entry{{Kind: store.EntryVoid, Key: store.PrincipalSecret(id, secretID), By: by.Name}}
		},
		After: func() any { return map[string]any{"secret_id": secretID, "void_tokens": void} },
	})
}

// endNow ends the secret for good. One that has expired keeps its end.
func endNow(secret *store.Secret, now time.Time, by string) {
	if secret.Live(now) {
		secret.ExpiresAt = &now
	}
	if !secret.Ended {
		secret.EndedAt, secret.EndedBy = &now, by
	}
	secret.Ended = true
}

// withoutLongEnded returns the secrets without those that ended so long ago that
// all their tokens have expired.
func withoutLongEnded(secrets []store.Secret, now time.Time) []store.Secret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s store.Secret) bool {
		return s.ExpiresAt != nil && now.Sub(*s.ExpiresAt) > store.FeedRetention
	})
}
