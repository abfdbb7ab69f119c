package tokens

import (
	"context"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/store"
)

// Mint makes a token that a client does not get for itself. t says whom and
// what the token is for, and the feed position at which that was decided. Mint
// sets the times: the token lives for ttl, but no longer than its scopes allow,
// and not beyond t.ExpiresAt if that is set. Errors: store.ErrExpired,
// store.ErrUnavailable.
func (s *Service) Mint(ctx context.Context, t store.Token, ttl time.Duration) (IssuedToken, error) {
	ttl = min(s.o.Catalogue().CapTTL(strings.Fields(t.Scopes), ttl), scopes.MaxTokenLife).Truncate(time.Second)
	t.IssuedAt = s.o.Now().UTC().Truncate(time.Second)
	if end := t.IssuedAt.Add(ttl); t.ExpiresAt.IsZero() || end.Before(t.ExpiresAt) {
		t.ExpiresAt = end
	}
	return s.storeToken(ctx, s.o.Keys.Make(t.ExpiresAt), t)
}
