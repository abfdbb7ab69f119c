package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/store"
)

// ErrNotYours: the token belongs to another client (RFC 7009 §2.1).
var ErrNotYours = errors.New("token of another client")

// RevokeOwn ends a token of the client. A token that is unknown, made up or
// ended already is no error (RFC 7009 §2.2); the record is nil then. With a
// record and an error, the token may be ended or not.
// Errors: ErrNotYours, store.ErrUnavailable.
func (s *Service) RevokeOwn(ctx context.Context, presented, clientID string) (*store.Token, error) {
	if _, ok := s.o.Keys.Read(presented); !ok {
		return nil, nil
	}
	if _, partners := credential.PartnerTokenID(presented, s.o.Environment); partners {
		return nil, ErrNotYours // whatever has become of it: nobody is to think that this ended it
	}
	d := DigestOf(presented)
	t, err := s.o.Store.GetToken(ctx, d)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case errors.Is(err, store.ErrUnknownRecord):
		// Whose it is a newer grantd knows: it can be asked again.
		return nil, fmt.Errorf("%w: %w", err, store.ErrUnavailable)
	case err != nil:
		return nil, err
	case t.ClientID != clientID:
		return nil, ErrNotYours
	case t.Revoked != nil:
		return nil, nil
	}
	return &t, s.revoke(ctx, d, t, store.PrincipalClient(clientID))
}

// Revoke ends a token by its digest, whosoever it is. Errors:
// store.ErrNotFound, store.ErrUnavailable.
func (s *Service) Revoke(ctx context.Context, d store.Digest, by string) (store.Token, error) {
	t, err := s.o.Store.GetToken(ctx, d)
	if errors.Is(err, store.ErrUnknownRecord) {
		// Of a newer grantd, which reads the same feed: ended all the same.
		return store.Token{}, s.announce(ctx, d, time.Time{}, by)
	}
	if err != nil {
		return store.Token{}, err
	}
	return t, s.revoke(ctx, d, t, by)
}

// RevokePresented is Revoke for a token that somebody has in hand. Of one that
// has expired there is no record, and what was made from it may be alive: that
// is ended, and the record that is answered is empty. Errors:
// store.ErrNotFound, store.ErrUnavailable.
func (s *Service) RevokePresented(ctx context.Context, presented, by string) (store.Token, error) {
	if _, partners := credential.PartnerTokenID(presented, s.o.Environment); partners {
		return store.Token{}, store.ErrNotFound // a record; when it is gone, so is all that was made with it
	}
	d := DigestOf(presented)
	t, err := s.Revoke(ctx, d, by)
	if !errors.Is(err, store.ErrNotFound) {
		return t, err
	}
	end, ours := s.o.Keys.Read(presented)
	if !ours || s.o.Now().After(end.Add(descent*scopes.MaxTokenLife)) {
		return t, err
	}
	return t, s.announce(ctx, d, time.Time{}, by)
}

// descent is how many tokens may be made one from the other after a client's: a
// customer's, and what that is upgraded to.
const descent = 2

// revoke tells the feed, then replaces the record by a tombstone (design §3).
// A repeated call does both again; the first tombstone stays.
func (s *Service) revoke(ctx context.Context, d store.Digest, t store.Token, by string) error {
	if err := s.announce(ctx, d, voidUntil(&t), by); err != nil {
		return err
	}
	if t.Revoked == nil {
		t.Revoked = &store.Revocation{At: s.o.Now().UTC(), By: by}
	}
	if err := s.o.Store.ReplaceToken(ctx, d, t); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("keep tombstone: %w", err)
	}
	return nil
}

// voidUntil answers when a void of the token stops mattering: with its end, but
// for one that others may have been made from. They outlive it, and rest on it.
func voidUntil(t *store.Token) time.Time {
	if t.Use == store.UseCustomer || slices.Contains(strings.Fields(t.Scopes), scopes.CustomerTokenWrite) {
		return time.Time{} // as long as any token lives
	}
	return t.ExpiresAt
}

// announce voids the token in the feed, until the given time.
func (s *Service) announce(ctx context.Context, d store.Digest, until time.Time, by string) error {
	err := s.o.Feed.Append(ctx, store.Entry{Kind: store.EntryVoid, Key: store.PrincipalToken(d), By: by, Until: until})
	if err != nil {
		return err
	}
	s.forget(d)
	return nil
}
