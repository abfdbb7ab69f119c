package tokens

import (
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/store"
)

// cachedToken is a token record in a third of the memory, with the generation
// of the feed at which it was last found not void. Until the generation
// changes, the feed need not be searched again. A token from before the feed
// lost entries is read again: the store may have lost the token too.
type cachedToken struct {
	clientID, secretID, scopes string
	issued, expires            int64 // Unix seconds
	position                   store.Position
	special                    *store.Token // the whole record of a token that has more fields

	checked atomic.Uint64
	epoch   uint64 // the feed's, before the record was read
}

func newCachedToken(t *store.Token, epoch uint64) *cachedToken {
	c := &cachedToken{
		clientID: t.ClientID, secretID: t.SecretID, scopes: t.Scopes,
		issued: t.IssuedAt.Unix(), expires: t.ExpiresAt.Unix(), position: t.Position, epoch: epoch,
	}
	if !ordinary(t) {
		c.special = t
	}
	return c
}

// ordinary reports whether the fields of cachedToken hold the whole token.
func ordinary(t *store.Token) bool {
	return t.Use == store.UseClient && t.OrgID == "" && t.CustomerID == "" && t.AuthorizedUser == "" && t.PartnerID == "" && t.PartnerTID == "" && t.KeyID == "" &&
		len(t.Audience)+len(t.SourceIPs)+len(t.Endpoints)+len(t.Resources)+len(t.AMR) == 0 &&
		t.Upgradable == "" && len(t.Parents) == 0 && t.AuthTime.IsZero() && t.Revoked == nil
}

// maxCachedLists bounds the memory for the restrictions of a cached token, in
// bytes: the cache is bounded in tokens, but callers choose how many resources
// and addresses their tokens have. A token with more is read from the store each
// time.
const maxCachedLists = 2 << 10

func cacheable(t *store.Token) bool {
	const each = 32 // a string header and its allocation
	size := 0
	for _, list := range [...][]string{t.SourceIPs, t.Endpoints} {
		for _, text := range list {
			size += each + len(text)
		}
	}
	for _, r := range t.Resources {
		size += each + len(r.Type)
		for _, id := range r.IDs {
			size += each + len(id)
		}
	}
	return size <= maxCachedLists
}

// token returns the record. It must not be changed.
func (c *cachedToken) token() *store.Token {
	if c.special != nil {
		return c.special
	}
	return &store.Token{
		Use: store.UseClient, ClientID: c.clientID, SecretID: c.secretID, Scopes: c.scopes,
		IssuedAt: time.Unix(c.issued, 0).UTC(), ExpiresAt: time.Unix(c.expires, 0).UTC(), Position: c.position,
	}
}

func (s *Service) cached(d store.Digest) *cachedToken {
	if s.cache == nil {
		return nil
	}
	c, _ := s.cache.GetIfPresent(d)
	return c
}

func (s *Service) forget(d store.Digest) {
	if s.cache != nil {
		s.cache.Invalidate(d)
	}
}
