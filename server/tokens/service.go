package tokens

import (
	"context"
	"errors"
	"time"

	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Options are what a Service needs.
type Options struct {
	Environment string
	Issuer      func() string // known once the listener is bound
	Former      []store.FormerIssuer
	Store       store.Tokens
	Clients     store.Clients // for explanations only
	// Records hold the partner tokens, and which partner each one belongs to; and the
	// API keys, which end with their orgs.
	Partners      *registry.Cache[store.Partner]
	PartnerTokens *registry.Cache[store.PartnerTokenOwner]
	APIKeys       *registry.Cache[store.APIKey]
	Orgs          *registry.Cache[store.Org]
	Feed          *feed.Feed
	Keys          *Keyring
	Catalogue     func() *scopes.Catalogue
	DefaultTTL    time.Duration // token.ttl
	CacheSize     int           // tokens; 0: no cache
	Now           func() time.Time
}

// Service mints, finds and ends tokens. Safe for concurrent use.
type Service struct {
	o       Options
	manager *manage.Manager
	cache   *otter.Cache[store.Digest, *cachedToken] // nil: no cache
}

// New makes a Service.
func New(o Options) *Service {
	s := &Service{o: o}
	s.manager = s.newManager()
	if o.CacheSize > 0 {
		s.cache = otter.Must(&otter.Options[store.Digest, *cachedToken]{MaximumSize: o.CacheSize})
	}
	return s
}

// Found is the result of a lookup.
type Found struct {
	Token  *store.Token // nil: not active; shared: must not be changed
	Digest store.Digest
	Mark   feed.Mark // at which it was active
	Source Source
	// Refused is the partner token or the API key, if it is known but must not be used.
	Refused *RefusedToken
	End     End // why there is no token; zero if there is one

	keptID string // of a token that is kept as a record
}

// RefusedToken is a partner token or an API key that must not be used, for the log.
type RefusedToken struct {
	PartnerID string // "": it is an API key
	TokenID   string
	Why       Refused
}

// ID returns the jti of the token, or "" if it is not one that grantd made. That of a
// partner token or an API key is its id.
func (f Found) ID() string {
	switch {
	case f.keptID != "":
		return f.keptID
	case f.Token != nil && f.Token.Use == store.UsePartner:
		return f.Token.PartnerTID
	case f.Token != nil && f.Token.Use == store.UseKey:
		return f.Token.KeyID
	case f.Refused != nil:
		return f.Refused.TokenID
	case f.Token == nil && !f.End.Made:
		return ""
	}
	return ID(f.Digest)
}

// PartnerToken returns the ids of the partner and of its token if a partner
// token was found, active or not.
func (f Found) PartnerToken() (partnerID, tokenID string) {
	switch {
	case f.Token != nil:
		return f.Token.PartnerID, f.Token.PartnerTID
	case f.Refused != nil && f.Refused.PartnerID != "":
		return f.Refused.PartnerID, f.Refused.TokenID
	}
	return "", ""
}

// Source says where a lookup ended.
type Source string

// The sources, as the metrics name them.
const (
	FromCache Source = "hit"
	FromStore Source = "miss"
	FromNone  Source = "none" // garbage: recognized without cache and store
)

// Find returns the token if it is active now. For a token that is unknown, made
// up, expired, revoked, void or of another environment, it returns a Found
// without a token. Garbage does not reach the store. Errors:
// store.ErrUnavailable, feed.ErrStale.
func (s *Service) Find(ctx context.Context, presented string) (Found, error) {
	found := Found{Source: FromNone}
	if len(presented) > maxPresented {
		found.End.Cause = s.causeOfForm(presented)
		return found, nil
	}
	found.Digest = DigestOf(presented)
	var end time.Time
	cached := s.cached(found.Digest)
	if cached == nil {
		var ok bool
		switch end, ok = s.o.Keys.Read(presented); {
		case !ok:
			found.End.Cause = s.causeOfForm(presented)
			return found, nil
		case !s.o.Now().Before(end):
			found.End = End{Cause: refusal.Expired, Made: true}
			return found, nil
		}
		if k, id := s.keptKindOf(presented); k != nil {
			return s.findKept(ctx, found, k, presented, id)
		}
	}
	var err error
	if found.Mark, err = s.o.Feed.Fresh(ctx); err != nil {
		return found, err
	}
	found.Source = FromCache
	if cached == nil || cached.epoch != found.Mark.Epoch {
		found.Source = FromStore
		if cached, err = s.load(ctx, &found, presented, end); err != nil || cached == nil {
			return found, err
		}
	}
	t := cached.token()
	if !s.isActive(found.Digest, t, cached, found.Mark) {
		found.End = s.endOf(found.Digest, t)
		s.forget(found.Digest)
		return found, nil
	}
	found.Token = t
	return found, nil
}

// load reads a token from the store, and caches it if it is alive. Otherwise it sets
// why found has none. end is the token's, to the minute, if that was read already.
func (s *Service) load(ctx context.Context, found *Found, presented string, end time.Time) (*cachedToken, error) {
	d := found.Digest
	t, err := s.o.Store.GetToken(ctx, d)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if end.IsZero() { // it was in the cache
			end, _ = s.o.Keys.Read(presented)
		}
		found.End = s.endOfAbsent(d, end)
		return nil, nil
	case errors.Is(err, store.ErrUnknownRecord):
		found.End = End{Cause: refusal.Unreadable, Made: true}
		return nil, nil
	case err != nil:
		return nil, err
	}
	c := newCachedToken(&t, found.Mark.Epoch)
	if _, void := s.o.Feed.Voided(d, &t); void || t.Revoked != nil {
		found.End = s.endOf(d, &t)
		return nil, nil
	}
	c.checked.Store(found.Mark.Generation)
	if s.cache != nil && cacheable(&t) {
		s.cache.Set(d, c)
	}
	return c, nil
}

// isActive reports whether the token is neither expired nor void.
func (s *Service) isActive(d store.Digest, t *store.Token, c *cachedToken, mark feed.Mark) bool {
	if !s.o.Now().Before(t.ExpiresAt) {
		return false
	}
	if c.checked.Load() == mark.Generation {
		return true
	}
	if _, void := s.o.Feed.Voided(d, t); void {
		return false
	}
	c.checked.Store(mark.Generation)
	return true
}

// StillActive reports whether a token that was found before is active now, for a call
// that goes on for so long that it may end meanwhile. Errors: feed.ErrStale.
func (s *Service) StillActive(ctx context.Context, d store.Digest, t *store.Token) (bool, error) {
	if _, err := s.o.Feed.Fresh(ctx); err != nil {
		return false, err
	}
	_, void := s.o.Feed.Voided(d, t)
	return !void && s.o.Now().Before(t.ExpiresAt), nil
}
