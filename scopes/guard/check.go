package guard

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Need says what a request needs of a token.
type Need struct {
	Scopes       []string   // all of them
	TokenUses    []string   // kinds that may be used; none: UseClient
	Method, Path string     // of the request, with the path decoded: for tokens that are restricted to endpoints
	SourceIP     netip.Addr // of the caller: for tokens that are bound to addresses
	// MaxAge is how long ago the customer may have entered a code; 0: it does not matter.
	MaxAge time.Duration
}

var clientUse = []string{UseClient}

// Check returns the token if it is active and may be used for what is needed. The
// token is shared: do not change it. Errors: *Refusal.
func (g *Guard) Check(ctx context.Context, token string, need Need) (*Token, error) {
	source := need.SourceIP.Unmap().WithZone("")
	asked := source
	if g.enforces.sourceIP {
		asked = netip.Addr{} // so the answer is the same for each address
	}
	a, err := g.lookup(ctx, token, asked)
	if err != nil {
		return nil, err
	}
	if r := g.judge(a.token, &need, source); r != nil {
		return nil, r
	}
	return a.token, nil
}

// Introspect returns what the authorization server says about the token, for
// programs that introspect on behalf of others. It checks only whether the token is
// active, and may be used from the address, if one is given. Errors: *Refusal.
func (g *Guard) Introspect(ctx context.Context, token string, source netip.Addr) (*Token, error) {
	source = source.Unmap().WithZone("")
	asked := source
	if g.enforces.sourceIP {
		asked = netip.Addr{}
	}
	a, err := g.lookup(ctx, token, asked)
	if err != nil {
		return nil, err
	}
	if source.IsValid() && !a.token.from(source) {
		return inactiveToken, nil
	}
	return a.token, nil
}

// judge returns why the token must not be used; nil if it may.
func (g *Guard) judge(t *Token, need *Need, source netip.Addr) *Refusal {
	uses := need.TokenUses
	if len(uses) == 0 {
		uses = clientUse
	}
	switch {
	case !t.Active:
		return inactive()
	case t.bound:
		return invalidToken("the token is bound to a key or a certificate, which this resource server cannot check")
	case !slices.Contains(uses, t.Use):
		return invalidToken("tokens of this kind are not accepted here")
	case len(t.Audience) > 0 && !slices.Contains(t.Audience, g.cfg.Resource):
		return invalidToken("the token is for another resource server")
	case len(t.SourceIPs) > 0 && (!source.IsValid() || !t.from(source)):
		return invalidToken("the token may not be used from this address")
	case len(t.Resources) > 0 && !g.enforces.resources:
		return inactive() // the authorization server shows none: see Registration
	}
	if r := g.judgeEndpoint(t, need); r != nil {
		return r
	}
	for _, s := range need.Scopes {
		if !t.holdsScope(s) {
			return forbidden("the token lacks a scope that this request needs", strings.Join(need.Scopes, " "))
		}
	}
	if need.MaxAge > 0 && (t.AuthTime.IsZero() || t.now().Sub(t.AuthTime) > need.MaxAge) {
		return &Refusal{
			Status: http.StatusUnauthorized, Code: CodeInsufficientAuth, MaxAge: need.MaxAge,
			Description: "the customer has to enter a code again",
		}
	}
	return nil
}

// judgeEndpoint checks restrictions to endpoints. Tokens on behalf of an org only read.
func (g *Guard) judgeEndpoint(t *Token, need *Need) *Refusal {
	if t.Use == UseOnBehalf && need.Method != http.MethodGet && need.Method != http.MethodHead {
		return forbidden("a token on behalf of an org may only be used for GET and HEAD", "")
	}
	if len(t.Endpoints) == 0 {
		return nil
	}
	if !g.enforces.endpoints {
		return inactive()
	}
	if !t.endpoints.Allow(need.Method, &url.URL{Path: need.Path}) {
		return forbidden("the token may not be used for this endpoint", "")
	}
	return nil
}

// from reports whether the token may be used from the address.
func (t *Token) from(source netip.Addr) bool {
	if len(t.sources) == 0 {
		return true
	}
	for _, p := range t.sources {
		if p.Contains(source) {
			return true
		}
	}
	return false
}
