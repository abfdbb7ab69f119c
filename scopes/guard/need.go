package guard

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Need is what a request needs of its token, and what the request is. The middleware
// fills it; callers of Guard.Check do so themselves.
type Need struct {
	Scopes    []string      // all of them
	TokenUses []string      // any of them; none: only UseClient. Config.TokenUses must have them
	Method    string        // of HTTP. "" passes no token that may only read or that is restricted to endpoints
	Path      string        // as the caller sent it, escaped and without the query. "" passes no token that is restricted to endpoints
	SourceIP  netip.Addr    // of the caller. The zero Addr passes no token that is restricted to addresses
	MaxAge    time.Duration // how long ago the customer may have entered a code; 0: any time, or never
}

// defaultUses are the uses that a need without TokenUses accepts.
var defaultUses = []string{UseClient}

// rules is what the configuration says about tokens.
type rules struct {
	resource  string   // Config.Resource
	uses      []string // Config.TokenUses
	resources bool     // Config.Enforces has EnforceResources
}

// newRules returns the rules. No uses: only UseClient.
func newRules(resource string, uses []string, enforcesResources bool) rules {
	if len(uses) == 0 {
		uses = defaultUses
	}
	return rules{resource, uses, enforcesResources}
}

// judge returns why the token must not be used for what is needed; nil: it may be. It
// checks everything that is in the token, also what the authorization server has
// checked for this resource server, and refuses what it cannot check.
func (r rules) judge(t *Token, need *Need) *Refusal {
	if refusal := r.judgeToken(t); refusal != nil {
		return refusal
	}
	uses := need.TokenUses
	if len(uses) == 0 {
		uses = defaultUses
	}
	switch {
	case !slices.Contains(uses, t.Use):
		return forbidden("tokens of this use (client, customer, on_behalf, partner, key) are not accepted here", "")
	case !t.usableFrom(need.SourceIP):
		return forbidden("the token must not be used from this address", "")
	case t.Use == UseOnBehalf && need.Method != http.MethodGet && need.Method != http.MethodHead:
		return forbidden("a token on behalf of an org can only read: GET and HEAD", "")
	case !t.usableAt(need.Method, need.Path):
		return forbidden("the token must not be used for this method and path", "")
	case slices.ContainsFunc(need.Scopes, func(s string) bool { return !t.holdsScope(s) }):
		return forbidden("the token lacks a scope that is needed here", strings.Join(need.Scopes, " "))
	case need.MaxAge > 0:
		return t.judgeAge(need.MaxAge)
	}
	return nil
}

// judgeToken returns why this resource server accepts the token for no request at all.
func (r rules) judgeToken(t *Token) *Refusal {
	switch {
	case !t.Active:
		return inactive()
	case t.Bound:
		return invalidToken("the token is bound to a key or a certificate, which this resource server does not check")
	case !slices.Contains(r.uses, t.Use),
		len(t.Audience) > 0 && !slices.Contains(t.Audience, r.resource),
		len(t.Resources) > 0 && !r.resources:
		return inactive()
	}
	return nil
}

// usableFrom reports whether the caller's address is one of the token's.
func (t *Token) usableFrom(source netip.Addr) bool {
	if len(t.SourceIPs) == 0 {
		return true
	}
	source = source.Unmap().WithZone("")
	return slices.ContainsFunc(t.sources, func(p netip.Prefix) bool { return p.Contains(source) })
}

// usableAt reports whether the token's endpoints have the method and the path.
func (t *Token) usableAt(method, path string) bool {
	if len(t.Endpoints) == 0 {
		return true
	}
	plain, err := url.PathUnescape(path)
	return err == nil && t.endpoints.Allow(method, &url.URL{Path: plain, RawPath: path})
}

// judgeAge refuses a token whose customer has not entered a code for so long (RFC 9470
// §3).
func (t *Token) judgeAge(most time.Duration) *Refusal {
	if !t.AuthTime.IsZero() && t.now().Sub(t.AuthTime) <= most {
		return nil
	}
	return &Refusal{
		Status: http.StatusUnauthorized, Code: CodeInsufficientAuth, MaxAge: most,
		Description: "the customer must enter a code again before this request",
	}
}
