package clients

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/credential"
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
		views = append(views, SecretView{
			ID: secret.ID, CreatedAt: secret.CreatedAt, ExpiresAt: secret.ExpiresAt, Weak: credential.IsWeak(secret.Hash),
			ExtendableUntil: extendableUntil(&secret), View: lastuse.ViewOf(uses, secret.ID),
		})
	}
	return views, nil
}

// EndSecret ends one secret at once. With void it also ends every token that
// the secret minted. Ending a secret that has ended is not an error, so that
// its tokens can be voided later.
// Errors: apierr.NotFound.
func (s *Service) EndSecret(ctx context.Context, by audit.Actor, id, secretID string, void bool) error {
	_, err := s.Registry.Change(ctx, registry.Step[store.Client]{
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
	return err
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

// FindSecret returns the client and the id of a generated secret, live or ended.
// It searches all clients, for the rare case of a leak.
// Errors: apierr.NotFound.
func (s *Service) FindSecret(ctx context.Context, plain string) (clientID, secretID string, err error) {
	secretID, ok := credential.SecretID(plain, s.o.Environment)
	if !ok {
		return "", "", errNoSecret
	}
	const page = 500
	for after := ""; ; {
		clients, err := s.o.Store.List(ctx, store.Page{After: after, Limit: page})
		if err != nil {
			return "", "", err
		}
		for _, c := range clients {
			for _, secret := range c.Secrets {
				if secret.ID == secretID && credential.Matches(secret.Hash, plain) {
					return c.ID, secret.ID, nil
				}
			}
			after = c.ID
		}
		if len(clients) < page {
			return "", "", errNoSecret
		}
	}
}

// FindImported returns the ids of the client's imported secrets, live or ended,
// that plain matches. Each takes a slow check. One call at a time checks.
// Errors: apierr.NotFound, store.ErrUnavailable.
func (s *Service) FindImported(ctx context.Context, id, plain string) (secretIDs []string, err error) {
	c, err := s.Registry.Get(ctx, id)
	if err != nil || len(plain) > credential.MaxLength {
		return nil, err
	}
	if err := s.checking.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("waiting for a secret check: %w: %w", err, store.ErrUnavailable)
	}
	defer s.checking.Release(1)
	for _, secret := range c.Secrets {
		if credential.IsImported(secret.Hash) && ctx.Err() == nil && credential.MatchesImported(secret.Hash, plain) {
			secretIDs = append(secretIDs, secret.ID)
		}
	}
	return secretIDs, ctx.Err()
}
