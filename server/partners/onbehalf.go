package partners

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// maxLife is the longest and the usual life of an on-behalf token, in seconds.
const maxLife = int64(scopes.MaxTokenLife / time.Second)

// Bounds of sourceIp: a token's record has room for them.
const (
	maxSourceIPs   = 32
	maxSourceIPLen = 2048
)

// Quota bounds how many tokens a partner may make; it must not block.
type Quota interface {
	Take(partnerID string) (wait time.Duration)
}

// Minter makes tokens; see server/tokens.
type Minter interface {
	Mint(ctx context.Context, t store.Token, ttl time.Duration) (tokens.IssuedToken, error)
}

// Observer counts what happens here, for the metrics.
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
	Quota     Quota
	Mint      Minter
	Observe   Observer
	Now       func() time.Time
}

// OnBehalf holds the rules of on-behalf tokens.
type OnBehalf struct{ o OnBehalfOptions }

// NewOnBehalf makes an OnBehalf.
func NewOnBehalf(o OnBehalfOptions) *OnBehalf { return &OnBehalf{o} }

// Bearer is the active partner token that a caller presented.
type Bearer = tokens.Found

// Request is what a partner gives for an on-behalf token.
type Request struct {
	OrgID     *string `json:"orgId"`
	Scopes    *string `json:"scopes"`
	SourceIP  *string `json:"sourceIp"`
	ExpiresIn *int64  `json:"expiresIn"` // seconds
}

var (
	errNoOrgID    = bad("orgId", "orgId is missing: the id of the org, as GET /partners/orgs has it")
	errNoScopes   = bad("scopes", "scopes is missing: name at least one, separated by spaces")
	errNoSource   = bad("sourceIp", "sourceIp is a list of IP addresses or CIDRs, separated by commas without spaces, at most 32")
	errExpiresIn  = bad("expiresIn", "expiresIn is a number of seconds from 1 to 86400")
	errNotAgreed  = apierr.New(apierr.AccessDenied, "this org has not agreed that you act for it, or there is none with this id").At("orgId")
	errNotGranted = apierr.New(apierr.InsufficientScope, "on-behalf tokens have only scopes that read, that the org granted you, and that the operator lets you have").At("scopes")
	errQuota      = apierr.New(apierr.TooManyRequests, "this partner has made more tokens than its quota: keep each until it expires, and wait as long as Retry-After says")
)

// Issue makes a token on behalf of an org.
// Errors: apierr.InvalidRequest, AccessDenied (one answer for an org that did
// not agree and one that is not there), InsufficientScope, TooManyRequests;
// store.ErrUnavailable.
func (t *OnBehalf) Issue(ctx context.Context, b Bearer, r Request) (tokens.IssuedToken, error) {
	if r.OrgID == nil {
		return tokens.IssuedToken{}, errNoOrgID
	}
	asked, err := t.asked(r.Scopes)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	if len(asked) == 0 {
		return tokens.IssuedToken{}, errNoScopes
	}
	addresses, err := sourceIPs(r.SourceIP)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	life := maxLife
	if r.ExpiresIn != nil {
		if life = *r.ExpiresIn; life < 1 || life > maxLife {
			return tokens.IssuedToken{}, errExpiresIn
		}
	}
	return t.issue(ctx, b, *r.OrgID, asked, addresses, time.Duration(life)*time.Second)
}

// Exchange makes the same token as RFC 8693 has it: without scopes it gets all
// that the org granted. Errors: those of Issue.
func (t *OnBehalf) Exchange(ctx context.Context, b Bearer, org, scope string) (tokens.IssuedToken, error) {
	asked, err := t.asked(&scope)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	return t.issue(ctx, b, org, asked, nil, time.Duration(maxLife)*time.Second)
}

func (t *OnBehalf) issue(ctx context.Context, b Bearer, org string, asked, addresses []string, life time.Duration) (tokens.IssuedToken, error) {
	partner, err := t.o.Partners.Get(ctx, b.Token.PartnerID)
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	if partner.Record == nil || !field.ValidID(org) {
		return tokens.IssuedToken{}, errNotAgreed
	}
	grant, err := t.o.Grants.Get(ctx, store.GrantID(b.Token.PartnerID, org))
	if err != nil {
		return tokens.IssuedToken{}, err
	}
	if grant.Record == nil {
		return tokens.IssuedToken{}, errNotAgreed
	}
	switch _, state, err := t.stateOf(ctx, partner.Record, grant.Record); {
	case err != nil:
		return tokens.IssuedToken{}, err
	case state != Active && state != NoScope: // the latter has agreed, and to nothing
		return tokens.IssuedToken{}, errNotAgreed
	}
	granted := usable(grant.Record, partner.Record, t.o.Catalogue())
	if len(asked) == 0 {
		asked = granted
	}
	if not := without(asked, granted); len(not) > 0 || len(asked) == 0 {
		refused := *errNotGranted
		refused.Scope = scopes.Join(not)
		return tokens.IssuedToken{}, &refused
	}
	if wait := t.o.Quota.Take(b.Token.PartnerID); wait > 0 {
		return tokens.IssuedToken{}, errQuota.After(wait)
	}
	issued, err := t.o.Mint.Mint(ctx, store.Token{
		Use: store.UseOnBehalf, PartnerID: b.Token.PartnerID, PartnerTID: b.Token.PartnerTID, OrgID: org,
		Scopes: scopes.Join(asked), SourceIPs: addresses, Endpoints: grant.Record.Endpoints,
		Position:  b.Mark.Position, // the oldest: from before any of the records was read
		ExpiresAt: endOf(b.Token, grant.Record),
	}, life)
	if errors.Is(err, store.ErrExpired) { // the grant or the partner token, a moment ago
		return tokens.IssuedToken{}, errNotAgreed
	}
	if err == nil {
		t.o.Observe.CountIssued(string(store.UseOnBehalf))
	}
	return issued, err
}

// asked reads the scopes that are asked for; whether there are such is a
// question of what was granted.
func (t *OnBehalf) asked(text *string) ([]string, error) {
	if text == nil {
		return nil, nil
	}
	names, err := scopes.Parse(*text)
	if err != nil {
		return nil, bad("scopes", err.Error())
	}
	return names, nil
}

// stateOf answers whether the grant holds now, and for which org.
func (t *OnBehalf) stateOf(ctx context.Context, p *store.Partner, g *store.Grant) (*store.Org, State, error) {
	org, err := t.o.Orgs.Get(ctx, g.OrgID)
	if err != nil || org.Record == nil {
		return nil, OrgDeleted, err
	}
	return org.Record, stateOf(g, p, org.Record, t.o.Catalogue(), t.o.Now()), nil
}

// endOf answers when a token ends at the latest: with the partner token that it
// is made with, and with the grant.
func endOf(b *store.Token, g *store.Grant) time.Time {
	if g.Until != nil && g.Until.Before(b.ExpiresAt) {
		return *g.Until
	}
	return b.ExpiresAt
}

// sourceIPs reads a comma separated list.
func sourceIPs(text *string) ([]string, error) {
	if text == nil {
		return nil, nil
	}
	if len(*text) > maxSourceIPLen || strings.Count(*text, ",") >= maxSourceIPs {
		return nil, errNoSource
	}
	clean, ok := field.CleanRanges(strings.Split(*text, ","))
	if !ok {
		return nil, errNoSource
	}
	return clean, nil
}

// Org is one that agreed, as the partner sees it.
type Org struct {
	ID   string `json:"orgId"`
	Name string `json:"orgName"`
}

// Orgs answers up to limit of those that agreed, by id, after the one with the
// given id. more says that there may be others.
func (t *OnBehalf) Orgs(ctx context.Context, b Bearer, after string, limit int) (orgs []Org, more bool, err error) {
	orgs = []Org{}
	partner, err := t.o.Partners.Get(ctx, b.Token.PartnerID)
	if err != nil || partner.Record == nil {
		return orgs, false, err
	}
	p := store.Page{Owner: partner.Record.ID, Limit: limit}
	if after != "" {
		p.After = store.GrantID(p.Owner, after)
	}
	for {
		grants, err := t.o.List.List(ctx, p)
		if err != nil {
			return nil, false, err
		}
		for i := range grants {
			if len(orgs) == limit {
				return orgs, true, nil
			}
			p.After = grants[i].ID()
			org, state, err := t.stateOf(ctx, partner.Record, &grants[i])
			if err != nil {
				return nil, false, err
			}
			if state == Active {
				orgs = append(orgs, Org{org.ID, org.Name})
			}
		}
		if len(grants) < limit {
			return orgs, false, nil
		}
	}
}

// without answers the names that are not among held.
func without(names, held []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(held, n) })
}
