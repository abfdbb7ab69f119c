package tokens

import (
	"context"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/store"
)

// Mint makes a token that is not granted to a client itself: t says for whom
// and for what, and at which view of the feed that was decided. Its times are
// set here: it lives for ttl, or for as long as its scopes may, but not beyond
// its ExpiresAt if it has one. Errors: store.ErrExpired, store.ErrUnavailable.
func (s *Service) Mint(ctx context.Context, t store.Token, ttl time.Duration) (IssuedToken, error) {
	ttl = min(s.o.Catalogue().CapTTL(strings.Fields(t.Scopes), ttl), scopes.MaxTokenLife).Truncate(time.Second)
	t.IssuedAt = s.o.Now().UTC().Truncate(time.Second)
	if end := t.IssuedAt.Add(ttl); t.ExpiresAt.IsZero() || end.Before(t.ExpiresAt) {
		t.ExpiresAt = end
	}
	return s.put(ctx, s.o.Keys.Make(t.ExpiresAt), t)
}
