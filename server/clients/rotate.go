package clients

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

const (
	// MaxExtension is how long after its first end a secret can be extended to.
	MaxExtension = 30 * 24 * time.Hour
	// usedLately is how recent a use is for which a rotation warns that the secret
	// ends before the grace.
	usedLately = 15 * time.Minute
)

var (
	errFor       = apierr.New(apierr.InvalidRequest, "for must be a duration of at least 1s, such as 24h").At("for")
	errForLong   = apierr.New(apierr.InvalidRequest, "no secret works longer than 30 days after its first end: see extendable_until in the list of secrets").At("for")
	errForShort  = apierr.New(apierr.InvalidRequest, "this secret already works for longer than that").At("for")
	errNoEnd     = apierr.New(apierr.Conflict, "this secret does not expire: there is nothing to extend")
	errEnded     = apierr.New(apierr.Conflict, "this secret has ended, and no ended secret works again: rotate, and give the client the new one")
	errForgotten = apierr.New(apierr.NotFound, "this client has no secret with this id. If it has ended, no ended secret works again: rotate, and give the client the new one")
	errUndoEnded = apierr.New(apierr.Conflict, "the newest secret has ended already: give an older one more time with extend-secret, or rotate again")
	errUndoNone  = apierr.New(apierr.Conflict, "no older secret is left that works: the client would have none; rotate again")
)

// Rotate gives the client a new secret. Its live secrets stay valid for grace,
// or until they end if that is earlier; 0 ends them at once. The new secret
// cannot be read again.
// Errors: apierr.NotFound, apierr.InvalidRequest, apierr.Conflict.
func (s *Service) Rotate(ctx context.Context, by audit.Actor, id string, grace time.Duration) (Rotated, error) {
	out := Rotated{ClientID: id}
	_, err := s.Registry.Change(ctx, registry.Step[store.Client]{
		By: by, Action: "rotate_secret", ID: id,
		Edit: func(c *store.Client) error {
			if grace < 0 || grace > MaxGrace {
				return errGrace
			}
			if c.DeactivatedAt != nil {
				return errNotActive
			}
			return s.addSecret(c, grace, by.Name, &out)
		},
		After: func() any {
			return map[string]any{"secret_id": out.SecretID, "previous_expires_at": out.PreviousExpiresAt}
		},
	})
	if err != nil {
		return Rotated{}, err
	}
	s.addUses(ctx, &out)
	return out, nil
}

// addSecret adds a new secret to the client and shortens the others. It sets
// everything in out except the client and the uses.
func (s *Service) addSecret(c *store.Client, grace time.Duration, by string, out *Rotated) error {
	now := s.Registry.Now()
	end := now.Add(grace)
	secrets := slices.Clone(c.Secrets)
	secret := store.Secret{CreatedAt: now}
	live := 1
	out.PreviousExpiresAt, out.OlderSecrets = nil, []OlderSecret{}
	for i := range secrets {
		old := &secrets[i]
		if !old.Live(now) {
			continue
		}
		if old.FirstEnd == nil {
			old.FirstEnd = cmp.Or(old.ExpiresAt, &end)
		}
		early := old.ExpiresAt != nil && old.ExpiresAt.Before(end)
		if old.ExpiresAt == nil || old.ExpiresAt.After(end) {
			secret.Shortened = append(secret.Shortened, store.ShortenedSecret{ID: old.ID, Was: old.ExpiresAt})
			old.ExpiresAt = &end
		}
		if grace == 0 {
			endNow(old, now, by)
		} else {
			live++
		}
		if out.PreviousExpiresAt == nil || old.ExpiresAt.Before(*out.PreviousExpiresAt) {
			out.PreviousExpiresAt = old.ExpiresAt
		}
		out.OlderSecrets = append(out.OlderSecrets, OlderSecret{ID: old.ID, ExpiresAt: *old.ExpiresAt, EndsEarly: early})
	}
	if live > MaxLiveSecrets {
		return errTooMany
	}
	out.ClientSecret, secret.ID, secret.Hash = credential.NewSecret(s.o.Environment)
	out.SecretID = secret.ID
	c.Secrets = append(secrets, secret)
	return nil
}

// addUses adds the last uses of the older secrets, and keeps EndsEarly for those that
// are in use. If the uses cannot be read, the rotation has succeeded all the same: the
// new secret must reach the caller.
func (s *Service) addUses(ctx context.Context, out *Rotated) {
	uses, err := s.o.Uses.ListUses(context.WithoutCancel(ctx), store.PrincipalClient(out.ClientID))
	now := s.Registry.Now()
	for i := range out.OlderSecrets {
		old := &out.OlderSecrets[i]
		if err == nil {
			old.LastUsedAt = lastuse.ViewOf(uses, old.ID).LastUsedAt
		}
		used := old.LastUsedAt != nil && now.Sub(*old.LastUsedAt) <= usedLately
		old.EndsEarly = old.EndsEarly && (used || err != nil)
	}
}

// Undo ends the newest secret, with the tokens and the API keys that it made, and gives the secrets
// that the rotation shortened, and that still work, their former ends back.
// Errors: apierr.NotFound; apierr.Conflict if the newest secret has ended, or none
// of the others works.
func (s *Service) Undo(ctx context.Context, by audit.Actor, id string) (Undone, error) {
	out := Undone{ClientID: id}
	c, err := s.Registry.Change(ctx, registry.Step[store.Client]{
		By: by, Action: "undo_rotation", ID: id,
		Edit: func(c *store.Client) error { return s.removeNewest(c, by.Name, &out) },
		Entries: func() []store.Entry {
			return []store.Entry{{Kind: store.EntryVoid, Key: store.PrincipalSecret(id, out.EndedSecretID), By: by.Name}}
		},
		After: func() any {
			return map[string]any{"secret_id": out.EndedSecretID, "void_tokens": true, "restored": out.Restored}
		},
	})
	if err != nil {
		return Undone{}, err
	}
	out.KeysEnded, err = s.endKeys(ctx, by, &c, out.EndedSecretID)
	return out, err
}

// removeNewest ends the newest secret and restores the others. It sets everything in
// out except the client.
func (s *Service) removeNewest(c *store.Client, by string, out *Undone) error {
	now := s.Registry.Now()
	c.Secrets = slices.Clone(c.Secrets)
	if len(c.Secrets) == 0 || !c.Secrets[len(c.Secrets)-1].Live(now) {
		return errUndoEnded
	}
	newest, older := &c.Secrets[len(c.Secrets)-1], c.Secrets[:len(c.Secrets)-1]
	out.EndedSecretID, out.Restored = newest.ID, []RestoredSecret{}
	for i := range older {
		old := &older[i]
		if !old.Live(now) {
			continue
		}
		if at := slices.IndexFunc(newest.Shortened, func(x store.ShortenedSecret) bool { return x.ID == old.ID }); at >= 0 {
			restore(old, newest.Shortened[at].Was)
		}
		out.Restored = append(out.Restored, RestoredSecret{old.ID, old.ExpiresAt})
	}
	if len(out.Restored) == 0 {
		return errUndoNone
	}
	endNow(newest, now, by)
	return nil
}

// restore gives the secret its former end back, unless it was extended beyond that.
func restore(secret *store.Secret, was *time.Time) {
	switch {
	case was == nil:
		secret.ExpiresAt, secret.FirstEnd = nil, nil
	case secret.ExpiresAt != nil && was.After(*secret.ExpiresAt):
		secret.ExpiresAt = was
	}
}

// ExtendSecret lets a secret that expires work for the given time from now on. No
// secret works longer than MaxExtension after its first end.
// Errors: apierr.NotFound; apierr.InvalidRequest for the time; apierr.Conflict if the
// secret has ended or does not expire.
func (s *Service) ExtendSecret(ctx context.Context, by audit.Actor, id, secretID string, more time.Duration) (Extended, error) {
	out := Extended{ClientID: id, SecretID: secretID}
	var was time.Time
	_, err := s.Registry.Change(ctx, registry.Step[store.Client]{
		By: by, Action: "extend_secret", ID: id,
		Edit: func(c *store.Client) error {
			c.Secrets = slices.Clone(c.Secrets)
			i := slices.IndexFunc(c.Secrets, func(x store.Secret) bool { return x.ID == secretID })
			if i < 0 {
				return errForgotten
			}
			if c.DeactivatedAt != nil {
				return errNotActive
			}
			if end := c.Secrets[i].ExpiresAt; end != nil {
				was = *end
			}
			if err := extend(&c.Secrets[i], s.Registry.Now(), more); err != nil {
				return err
			}
			out.ExpiresAt, out.ExtendableUntil = *c.Secrets[i].ExpiresAt, extendableUntil(&c.Secrets[i])
			return nil
		},
		After: func() any {
			return map[string]any{"secret_id": secretID, "expires_at": out.ExpiresAt, "former_expires_at": was}
		},
	})
	if err != nil {
		return Extended{}, err
	}
	return out, nil
}

// extend makes the secret end after the given time from now.
func extend(secret *store.Secret, now time.Time, after time.Duration) error {
	until := extendableUntil(secret)
	end := now.Add(min(after, MaxGrace+MaxExtension+time.Second)).Truncate(time.Second)
	switch {
	case after < time.Second:
		return errFor
	case !secret.Live(now):
		return errEnded
	case until == nil:
		return errNoEnd
	case end.After(*until):
		return errForLong
	case !end.After(*secret.ExpiresAt):
		return errForShort
	}
	if secret.FirstEnd == nil {
		secret.FirstEnd = secret.ExpiresAt
	}
	secret.ExpiresAt = &end
	return nil
}

// extendableUntil returns the latest end that the secret can get; nil if it does not
// expire.
func extendableUntil(secret *store.Secret) *time.Time {
	first := secret.FirstEnd
	if first == nil {
		first = secret.ExpiresAt
	}
	if first == nil || secret.ExpiresAt == nil {
		return nil
	}
	until := first.Add(MaxExtension)
	return &until
}
