package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/store"
)

// ErrNotYours means that the token belongs to another client (RFC 7009 §2.1).
var ErrNotYours = errors.New("token of another client")

// RevokeOwn ends a token of the client. It is not an error if the token is
// unknown, made up or has ended (RFC 7009 §2.2); the record is nil then. If it
// returns both a record and an error, the token may or may not have ended. take
// is called before a token ends; if it returns an error, nothing is revoked.
// Errors: ErrNotYours, store.ErrUnavailable, those of take.
func (s *Service) RevokeOwn(ctx context.Context, presented, clientID string, take func(clientID string) error) (*store.Token, error) {
	if _, ok := s.o.Keys.Read(presented); !ok {
		return nil, nil
	}
	if k, _ := s.keptKindOf(presented); k != nil {
		return nil, ErrNotYours // even if it has ended: this call did not end it
	}
	return s.revokeFor(ctx, presented, func(t *store.Token) (string, error) {
		if t.ClientID != clientID {
			return "", ErrNotYours
		}
		return store.PrincipalClient(clientID), nil
	}, func(string) error { return take(clientID) })
}

// RevokeSelf ends the token for its holder, who has no other credential than the
// token. Whatever restricts the token, such as its addresses and its audience, does
// not matter: to end it is always safe. The rest is as for RevokeOwn; take is called
// with the holder. Errors: store.ErrUnavailable, those of take.
func (s *Service) RevokeSelf(ctx context.Context, presented string, take func(holder string) error) (*store.Token, error) {
	if _, ok := s.o.Keys.Read(presented); !ok {
		return nil, nil
	}
	return s.revokeFor(ctx, presented, func(t *store.Token) (string, error) { return Holder(t), nil }, take)
}

// Holder returns the principal that has the token in hand: of a token on behalf of an
// org this is the partner that acts for the org.
func Holder(t *store.Token) string {
	switch t.Use {
	case store.UseCustomer:
		return store.PrincipalCustomer(t.CustomerID)
	case store.UseOnBehalf, store.UsePartner:
		return store.PrincipalPartner(t.PartnerID)
	}
	return store.PrincipalClient(t.ClientID)
}

// revokeFor ends the token, which this server made, for the principal that
// allow returns, unless allow or take returns an error.
func (s *Service) revokeFor(ctx context.Context, presented string, allow func(*store.Token) (by string, err error), take func(by string) error) (*store.Token, error) {
	d := DigestOf(presented)
	t, err := s.o.Store.GetToken(ctx, d)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case errors.Is(err, store.ErrUnknownRecord):
		// A newer grantd, which can read the record, may get the next try.
		return nil, fmt.Errorf("%w: %w", err, store.ErrUnavailable)
	case err != nil:
		return nil, err
	}
	by, err := allow(&t)
	if err != nil || t.Revoked != nil {
		return nil, err
	}
	if e, void := s.o.Feed.Voided(d, &t); void {
		if e.Key != store.PrincipalToken(d) {
			return nil, nil
		}
		return &t, s.bury(ctx, d, t, by) // an earlier call was interrupted
	}
	if err := take(by); err != nil {
		return nil, err
	}
	return &t, s.revoke(ctx, d, t, by)
}

// Revoke ends the token with the digest, no matter whose it is. Errors:
// store.ErrNotFound, store.ErrUnavailable.
func (s *Service) Revoke(ctx context.Context, d store.Digest, by string) (store.Token, error) {
	t, err := s.o.Store.GetToken(ctx, d)
	if errors.Is(err, store.ErrUnknownRecord) {
		// A newer grantd wrote the record. It reads the same feed, so this ends it.
		return store.Token{}, s.announce(ctx, d, time.Time{}, by)
	}
	if err != nil {
		return store.Token{}, err
	}
	return t, s.revoke(ctx, d, t, by)
}

// RevokePresented is Revoke for a token itself. An expired token has no record,
// but tokens that were made from it may be alive: it ends those and returns an
// empty record. Errors: store.ErrNotFound, store.ErrUnavailable.
func (s *Service) RevokePresented(ctx context.Context, presented, by string) (store.Token, error) {
	if k, _ := s.keptKindOf(presented); k != nil {
		return store.Token{}, store.ErrNotFound // its feature ends it; once its record is gone, so are the tokens made with it
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

// descent is the length of the longest chain of tokens made from a client's: a
// customer's token, and the one that it is upgraded to.
const descent = 2

// revoke tells the feed, then replaces the record with a tombstone. A repeated
// call does both again; the first tombstone stays.
func (s *Service) revoke(ctx context.Context, d store.Digest, t store.Token, by string) error {
	if err := s.announce(ctx, d, voidUntil(&t), by); err != nil {
		return err
	}
	return s.bury(ctx, d, t, by)
}

// bury replaces the record of a token with a tombstone. The feed has its end.
func (s *Service) bury(ctx context.Context, d store.Digest, t store.Token, by string) error {
	if t.Revoked == nil {
		t.Revoked = &store.Revocation{At: s.o.Now().UTC(), By: by}
	}
	if err := s.o.Store.ReplaceToken(ctx, d, t); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("keep tombstone: %w", err)
	}
	return nil
}

// voidUntil returns how long a void of the token is needed: until the token
// expires, or, if tokens may have been made from it, for as long as any token
// lives (the zero time). Those tokens outlive it, and its void ends them.
func voidUntil(t *store.Token) time.Time {
	if t.Use == store.UseCustomer || slices.Contains(strings.Fields(t.Scopes), scopes.CustomerTokenWrite) {
		return time.Time{}
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
