package apikeys

import (
	"context"
	"errors"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Bounds of the time that the older key works after a rotation.
const (
	defaultGrace = 24 * time.Hour
	maxGrace     = 30 * 24 * time.Hour
)

var (
	errGrace  = apierr.Member("grace", "grace is a duration from 0s to 30d, such as 24h")
	errNotOne = apierr.New(apierr.Conflict, "this key has ended: make another one")
)

func revoke(k *store.APIKey, by string, now time.Time) {
	if k.Live(now) {
		k.RevokedAt, k.RevokedBy = &now, by
	}
}

// Revoke ends the key at once. Revoking one that has ended already is not an error.
// Errors: apierr.NotFound.
func (s *Service) Revoke(ctx context.Context, by audit.Actor, id string) error {
	_, err := s.revoke(ctx, by, id, settled)
	return err
}

// revocation is how a key is revoked.
type revocation struct {
	unsettled bool   // the caller waits for the replicas
	ended     string // store.APIKey.RevokedFor
}

var settled = revocation{}

func (s *Service) revoke(ctx context.Context, by audit.Actor, id string, how revocation) (store.APIKey, error) {
	return s.Registry.Change(ctx, registry.Step[store.APIKey]{
		By: by, Action: "revoke", ID: id, Unsettled: how.unsettled,
		Edit: func(k *store.APIKey) error {
			now := s.Registry.Now()
			if !k.Live(now) {
				return registry.ErrUnchanged
			}
			revoke(k, by.Name, now)
			k.RevokedFor = how.ended
			k.Unannounced = true
			return nil
		},
	})
}

// RevokePresented ends the key that somebody presented, live or not. ok is false if
// it is not an API key of this server.
func (s *Service) RevokePresented(ctx context.Context, by audit.Actor, presented string) (orgID, keyID string, ok bool, err error) {
	orgID, keyID, ok, err = s.o.Credentials.KeyOf(ctx, presented)
	if err != nil || !ok {
		return "", "", false, err
	}
	return orgID, keyID, true, s.Revoke(ctx, by, keyID)
}

// RevokeByID ends the key with that id. ok is false if there is none.
func (s *Service) RevokeByID(ctx context.Context, by audit.Actor, id string) (ok bool, err error) {
	err = s.Revoke(ctx, by, id)
	return err == nil, registry.IgnoreNotFound(err)
}

// Rotate makes a key like the one with the id, with the lifetime that one was made for,
// from now on. The older one works for grace, or until its end if that is earlier; 0 ends it at once.
// The new key cannot be read again.
// Errors: apierr.NotFound, InvalidRequest, Conflict.
func (s *Service) Rotate(ctx context.Context, by audit.Actor, id string, grace time.Duration) (Rotated, error) {
	if grace < 0 || grace > maxGrace {
		return Rotated{}, errGrace
	}
	old, err := s.Registry.Get(ctx, id)
	if err != nil {
		return Rotated{}, err
	}
	mark, err := s.o.Feed.Latest(ctx)
	if err != nil {
		return Rotated{}, err
	}
	org, err := s.settledOrg(ctx, old.OrgID)
	if err != nil {
		return Rotated{}, err
	}
	_, void := s.o.Feed.VoidedKey(store.PrincipalAllKeys, old.Position)
	switch now := s.Registry.Now(); {
	case !old.Live(now) || old.EndedWith(&org) || void:
		return Rotated{}, errNotOne
	case old.Held():
		return Rotated{}, errHeld
	}
	plain, k, err := s.createLike(ctx, by, &org, &old, mark.Position)
	if err != nil {
		return Rotated{}, err
	}
	earlier := old.ReplacedBy
	old, err = s.shorten(ctx, by, id, grace, k.ID)
	if err != nil { // nobody has the new one
		return Rotated{}, errors.Join(err, s.Revoke(context.WithoutCancel(ctx), by, k.ID))
	}
	end := old.ExpiresAt
	if old.RevokedAt != nil {
		end = *old.RevokedAt
	}
	return Rotated{Created: viewCreated(plain, &k), PreviousID: id, PreviousExpiresAt: end, EarlierID: earlier}, nil
}

// createLike makes a key like the old one. It may be one more than the bounds allow,
// because the old one is about to end. The scopes of an old key may have left the
// catalog since: the new one must not have them.
func (s *Service) createLike(ctx context.Context, by audit.Actor, org *store.Org, old *store.APIKey, position store.Position) (plain string, k store.APIKey, err error) {
	now := s.Registry.Now()
	in := spec{
		owner: old.Owner, name: old.Name, scopes: old.Scopes, sourceIPs: old.SourceIPs, resources: old.Resources, audience: old.Audience,
		madeWith: old.MadeWith, position: position, life: min(max(old.Lifetime(), minLifetime), maxLifetime), faults: &adminFaults,
	}
	if s.o.Catalogue().Unknown(in.scopes) != "" {
		return "", k, errScopesGone
	}
	if err := s.checkLife(&in, now); err != nil {
		return "", k, err
	}
	plain, k = s.newKey(org, by, in)
	err = s.Registry.Create(ctx, by, k)
	s.Registry.Audit(ctx, by, k.ID, audit.Change{Action: "create", After: auditView(&k)}, err)
	if err == nil {
		err = s.confirm(ctx, by, &k, nil)
	}
	return plain, k, err
}

// shorten ends the key after grace, unless it ends before.
func (s *Service) shorten(ctx context.Context, by audit.Actor, id string, grace time.Duration, successor string) (store.APIKey, error) {
	return s.Registry.Change(ctx, registry.Step[store.APIKey]{
		By: by, Action: "rotate", ID: id,
		Edit: func(k *store.APIKey) error {
			now := s.Registry.Now()
			if !k.Live(now) {
				return errNotOne
			}
			if k.FirstEnd == nil {
				first := k.ExpiresAt
				k.FirstEnd = &first
			}
			k.ReplacedBy = successor
			switch end := now.Add(grace); {
			case grace == 0:
				revoke(k, by.Name, now)
			case end.Before(k.ExpiresAt):
				k.ExpiresAt = end
			}
			k.Unannounced = true // a cache that has the former end must read it again
			return nil
		},
		After: func() any { return map[string]any{"key_id": successor, "grace": grace.String()} },
	})
}

var errScopesGone = apierr.New(apierr.Conflict, "a scope of this key is no longer in the catalog: make another key")

// VoidAll revokes all keys in their records. The feed already says that they are
// void, but it forgets that after a day. VoidAll goes on if one fails, and if its
// caller leaves. The caller must repeat it after an error.
func (s *Service) VoidAll(ctx context.Context, by audit.Actor) error {
	ctx = context.WithoutCancel(ctx)
	var failed []error
	err := s.eachOf(ctx, "", func(k *store.APIKey) {
		if k.RevokedAt == nil {
			_, err := s.revoke(ctx, by, k.ID, revocation{unsettled: true})
			failed = append(failed, registry.IgnoreNotFound(err))
		}
	})
	return errors.Join(append(failed, err)...)
}

// RemoveOfOrg removes all keys of the org, which have ended with it.
func (s *Service) RemoveOfOrg(ctx context.Context, org string) error {
	by := audit.Actor{Name: "system"}
	for after := ""; ; {
		_, next, err := s.Registry.RemoveMembers(ctx, by, org, after, func(k *store.APIKey) bool { return k.OrgID == org })
		if err != nil || next == "" {
			return err
		}
		after = next
	}
}
