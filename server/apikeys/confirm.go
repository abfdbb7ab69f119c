package apikeys

import (
	"context"
	"errors"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/store"
)

// A key must not outlive what ended while the key was made: the token that a client
// made it with, its org, or all keys. What ends one of them tells the feed first,
// and reads the records of the keys afterward. What makes a key writes its record
// first, and reads the feed afterward. So one of the two always finds the other.

var (
	errEnding = apierr.New(apierr.Unavailable, "the tokens and keys of this org are being voided: try again in a moment").After(2 * time.Second)
	errVoided = apierr.New(apierr.Conflict, "all keys were voided while this one was made: make it again")
)

// settledOrg returns the org as usableOrg does, once the feed has what the org's
// record says about the end of its keys. A record is written before the feed is told:
// a key made in between would have the new epoch, and its bearer would still work.
// Errors: errNoOrg, errEnding.
func (s *Service) settledOrg(ctx context.Context, id string) (store.Org, error) {
	org, err := s.usableOrg(ctx, id)
	if err != nil || !org.Unannounced {
		return org, err
	}
	if _, err := s.o.Feed.Latest(ctx); err != nil {
		return org, err
	}
	if _, told := s.o.Feed.VoidedKey(store.PrincipalOrg(id), org.UnannouncedSince); !told {
		return org, errEnding
	}
	return org, nil
}

// confirm is called with a key whose record is written, and that nobody has yet. It
// returns an error, and ends the key, if what the key was made with has ended. b is
// the bearer of a client; nil: an operator makes the key.
// Errors: errBearer, errVoided, feed.ErrStale.
func (s *Service) confirm(ctx context.Context, by audit.Actor, k *store.APIKey, b *bearer) error {
	_, err := s.o.Feed.Latest(ctx)
	if err == nil {
		err = s.endedMeanwhile(k, b)
	}
	if err == nil {
		return nil
	}
	_, undone := s.revoke(ctx, by, k.ID, revocation{unsettled: true})
	return errors.Join(err, undone)
}

func (s *Service) endedMeanwhile(k *store.APIKey, b *bearer) error {
	if b != nil {
		if _, void := s.o.Feed.Voided(b.found.Digest, b.token); void {
			return errBearer.Because(refusal.Void)
		}
	}
	if _, void := s.o.Feed.VoidedKey(store.PrincipalAllKeys, k.Position); void {
		return errVoided
	}
	return nil
}
