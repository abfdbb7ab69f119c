package partners

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// Finder finds the token of a caller; see tokens.Service.
type Finder interface {
	FindBearer(ctx context.Context, presented string, from netip.Addr, uses ...store.TokenUse) (tokens.Found, error)
}

// Uses records uses of partner tokens; it must not block.
type Uses interface {
	RecordPartnerUse(partnerID, tokenID string, from netip.Addr)
}

// Quota limits how many tokens a partner may make; it must not block.
type Quota interface {
	TakeToken(partnerID string) (wait time.Duration)
}

// Minter makes tokens; see server/tokens.
type Minter interface {
	Mint(ctx context.Context, t store.Token, ttl time.Duration) (tokens.IssuedToken, error)
}

// Observer counts issued tokens, for the metrics.
type Observer interface {
	CountIssued(use string)
}

// OnBehalfOptions are what OnBehalf needs.
type OnBehalfOptions struct {
	Partners  *registry.Cache[store.Partner]
	Grants    *registry.Cache[store.Grant]
	Orgs      *registry.Cache[store.Org]
	List      store.Grants // for the list of orgs
	Catalogue func() *scopes.Catalogue
	Find      Finder
	Uses      Uses
	Quota     Quota
	Mint      Minter
	Observe   Observer
	Now       func() time.Time
}

// OnBehalf holds the rules of on-behalf tokens.
type OnBehalf struct{ o OnBehalfOptions }

// NewOnBehalf returns an OnBehalf.
func NewOnBehalf(o OnBehalfOptions) *OnBehalf { return &OnBehalf{o} }

// Bearer is the active partner token that a caller presented.
type Bearer = tokens.Found

var (
	errBearer     = apierr.New(apierr.InvalidToken, "the bearer token is not an active partner token, or is not allowed from this address").WithReason(apierr.ErrPartnerToken)
	errNotAgreed  = apierr.New(apierr.AccessDenied, "this org has not agreed that you act for it, or there is none with this id").At("orgId").WithReason(apierr.ErrNotAgreed)
	errNotGranted = apierr.New(apierr.InsufficientScope, "on-behalf tokens have only scopes that read, that the org granted you, and that the operator lets you have").At("scopes").WithReason(apierr.ErrNotGranted)
	errQuota      = apierr.New(apierr.TooManyRequests, "this partner has made more tokens than its quota: keep each until it expires, and wait as long as Retry-After says")
)

// Authenticate returns the partner token that a caller at the address
// presented, and records its use. A Bearer that is returned with an error has
// no token; it has what the log may show about the refused token.
// Errors: apierr.InvalidToken (apierr.ErrPartnerToken), store.ErrUnavailable.
func (t *OnBehalf) Authenticate(ctx context.Context, presented string, from netip.Addr) (Bearer, error) {
	b, err := t.o.Find.FindBearer(ctx, presented, from, store.UsePartner)
	switch {
	case err != nil:
		return Bearer{}, err
	case b.Token == nil && b.Refused == nil:
		return b, errBearer.Because(b.End.Cause)
	case b.Token == nil:
		return b, errBearer.Because(errors.New(string(b.Refused.Why)))
	}
	t.o.Uses.RecordPartnerUse(b.Token.PartnerID, b.Token.PartnerTID, from)
	return b, nil
}

// Issue makes a token on behalf of an org.
// Errors: apierr.InvalidRequest, AccessDenied (the same error for an org that
// did not agree and for an unknown one), InsufficientScope, TooManyRequests;
// store.ErrUnavailable.
func (t *OnBehalf) Issue(ctx context.Context, b Bearer, r Request) (tokens.IssuedToken, error) {
	w, err := r.parse()
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	return t.issue(ctx, b, w)
}

// Exchange makes the same token for a token exchange (RFC 8693). Without
// scopes, the token has all scopes that the org granted. Errors: those of
// Issue.
func (t *OnBehalf) Exchange(ctx context.Context, b Bearer, org, scope string) (tokens.IssuedToken, error) {
	names, err := parseScopes(&scope)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	return t.issue(ctx, b, wanted{org: org, scopes: names, life: time.Duration(maxLife) * time.Second})
}

func (t *OnBehalf) issue(ctx context.Context, b Bearer, w wanted) (tokens.IssuedToken, error) {
	partner, grant, err := t.findGrant(ctx, b, w.org)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	granted := usableScopes(grant, partner, t.o.Catalogue())
	if len(w.scopes) == 0 {
		w.scopes = granted
	}
	if refused := subtract(w.scopes, granted); len(refused) > 0 || len(w.scopes) == 0 {
		err := *errNotGranted
		err.Scope = scopes.Join(refused)
		return tokens.IssuedToken{}, &err
	}
	if wait := t.o.Quota.TakeToken(b.Token.PartnerID); wait > 0 {
		return tokens.IssuedToken{}, errQuota.After(wait)
	}
	issued, err := t.o.Mint.Mint(ctx, store.Token{
		Use: store.UseOnBehalf, PartnerID: b.Token.PartnerID, PartnerTID: b.Token.PartnerTID, OrgID: w.org,
		Scopes: scopes.Join(w.scopes), SourceIPs: w.sourceIPs, Endpoints: grant.Endpoints,
		Position:  b.Mark.Position, // the oldest: from before any of the records was read
		ExpiresAt: latestEnd(b.Token, grant),
	}, w.life)
	if errors.Is(err, store.ErrExpired) { // the grant or the partner token ended a moment ago
		return tokens.IssuedToken{}, errNotAgreed
	}
	if err == nil {
		t.o.Observe.CountIssued(string(store.UseOnBehalf))
	}
	return issued, err
}

// findGrant returns the partner and what the org has granted it, if the org
// agrees now. Errors: errNotAgreed, store.ErrUnavailable.
func (t *OnBehalf) findGrant(ctx context.Context, b Bearer, org string) (*store.Partner, *store.Grant, error) {
	partner, err := t.o.Partners.Get(ctx, b.Token.PartnerID)
	if err != nil {
		return nil, nil, err
	}
	if partner.Record == nil || !field.ValidID(org) {
		return nil, nil, errNotAgreed
	}
	grant, err := t.o.Grants.Get(ctx, store.GrantID(b.Token.PartnerID, org))
	if err != nil {
		return nil, nil, err
	}
	if grant.Record == nil {
		return nil, nil, errNotAgreed
	}
	_, state, err := t.checkState(ctx, partner.Record, grant.Record)
	if err == nil && state != Active && state != NoScope { // NoScope: the org agrees, but no scope is left
		err = errNotAgreed
	}
	return partner.Record, grant.Record, err
}

// checkState returns the org of the grant, and whether the grant is valid now.
func (t *OnBehalf) checkState(ctx context.Context, p *store.Partner, g *store.Grant) (*store.Org, State, error) {
	org, err := t.o.Orgs.Get(ctx, g.OrgID)
	if err != nil || org.Record == nil {
		return nil, OrgDeleted, err
	}
	return org.Record, stateOf(g, p, org.Record, t.o.Catalogue(), t.o.Now()), nil
}

// latestEnd returns when a token ends at the latest: with the partner token
// that it is made with, or with the grant.
func latestEnd(b *store.Token, g *store.Grant) time.Time {
	if g.Until != nil && g.Until.Before(b.ExpiresAt) {
		return *g.Until
	}
	return b.ExpiresAt
}
