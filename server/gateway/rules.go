package gateway

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/refusal"
)

// Kinds of tokens (token_use) as the parameter and the header name them.
const (
	useClient   = "client"
	useOnBehalf = "on_behalf"
)

// uses lists every kind of token.
var uses = []string{useClient, "customer", useOnBehalf, "partner", "key"}

// Token is what the rules must know of a token. The zero Token is an inactive one of
// which nothing is known.
type Token struct {
	Active                                               bool
	Bound                                                bool   // to a key or a certificate (cnf), which a gateway does not check
	Elsewhere                                            bool   // it is for some APIs (aud), and nobody knows whether it is for this one
	ID                                                   string // jti, for the log
	PartnerTokenID                                       string // of a partner token instead of ID
	Use, Subject, ClientID, CustomerID, OrgID, PartnerID string
	Scope                                                string   // names separated by spaces
	SourceIPs, Endpoints                                 []string // restrictions; empty: none
	// Resources: the token reaches only some cards, accounts or the like. The API
	// would have to know which, and no header says so.
	Resources bool

	// Why, and what else is known of its end, if the token is not active, for the log.
	Why     refusal.Cause
	VoidOf  string    // the principal whose void ended it
	EndedAt time.Time // zero: not known
}

// Need is what a token must have for the request to pass.
type Need struct {
	Scopes []string // all of them
	Uses   []string
}

// Original is the request that the gateway asks about, as far as the gateway states it.
type Original struct {
	Method string     // "": not stated
	URI    string     // path and query as they were sent; "": not stated
	From   netip.Addr // zero: not stated, or not an address
}

var (
	errNoToken    = apierr.New(apierr.NoToken, "this needs Authorization: Bearer with a token of this server").Because(refusal.NoBearer)
	errTwoHeaders = apierr.New(apierr.InvalidToken, "more than one Authorization header: send one").Because(refusal.TwoHeaders)
	errEmpty      = apierr.New(apierr.InvalidToken, "the bearer token is empty").Because(refusal.EmptyBearer)
	// errInactive is also for a token whose audience nobody knows: the difference is
	// for the log only.
	errInactive  = apierr.New(apierr.InvalidToken, "the bearer token is not active, is not for this API, or is not allowed from this address").Because(refusal.NotActive)
	errBound     = apierr.New(apierr.InvalidToken, "the bearer token is bound to a key or a certificate, which a gateway does not check").Because(refusal.GatewayBound)
	errUse       = apierr.New(apierr.InsufficientScope, "the bearer token is not of a kind that this API accepts").Because(refusal.GatewayUse)
	errScope     = apierr.New(apierr.InsufficientScope, "the bearer token lacks a scope that this request needs").Because(refusal.GatewayScope)
	errResources = apierr.New(apierr.InsufficientScope, "the bearer token is restricted to some resources, which a gateway cannot check").Because(refusal.GatewayObjects)
	errFrom      = apierr.New(apierr.InsufficientScope, "the bearer token is not allowed from this address, or the gateway did not state the address").Because(refusal.GatewayAddress)
	errMethod    = apierr.New(apierr.InsufficientScope, "the bearer token is for GET and HEAD, or the gateway did not state the method").Because(refusal.GatewayMethod)
	errEndpoint  = apierr.New(apierr.InsufficientScope, "the bearer token is not for this path, the path can be read in two ways, or the gateway did not state it").Because(refusal.GatewayReach)
)

// check returns nil if the request may pass with the token.
// Errors: apierr.InvalidToken, InsufficientScope.
func check(t *Token, need Need, o Original) error {
	switch {
	case !t.Active && t.Why != "":
		return errInactive.Because(t.Why)
	case !t.Active:
		return errInactive
	case t.Elsewhere:
		return errInactive.Because(refusal.GatewayAud)
	case t.Bound:
		return errBound
	case !slices.Contains(need.Uses, t.Use):
		return errUse
	}
	for _, name := range need.Scopes {
		if !scopes.Holds(t.Scope, name) {
			e := *errScope
			e.Scope = scopes.Join(need.Scopes)
			return &e
		}
	}
	return restrict(t, o)
}

// restrict returns nil unless a restriction of the token forbids the request. A token
// on behalf of an org always needs a stated method, path and address, even if it is not
// restricted to some: it is for reading.
func restrict(t *Token, o Original) error {
	behalf := t.Use == useOnBehalf
	switch {
	case t.Resources:
		return errResources
	case (behalf || len(t.SourceIPs) > 0) && !o.From.IsValid(),
		len(t.SourceIPs) > 0 && !field.RangesContain(t.SourceIPs, o.From):
		return errFrom
	case !behalf && len(t.Endpoints) == 0:
		return nil
	case o.Method != http.MethodGet && o.Method != http.MethodHead:
		return errMethod
	case !reaches(t.Endpoints, o):
		return errEndpoint
	}
	return nil
}

// anyPath is the list of endpoints of a token that has none: every path that all
// servers read in the same way.
var anyPath = []string{"GET /"}

// reaches reports whether one of the endpoints matches the path.
func reaches(patterns []string, o Original) bool {
	u, ok := o.path()
	if !ok {
		return false
	}
	if len(patterns) == 0 {
		patterns = anyPath
	}
	endpoints, err := scopes.ParseEndpoints(patterns)
	return err == nil && endpoints.Allow(o.Method, u)
}

// path returns the path of the URI. ok is false if it is not stated, is not a path, or
// holds what servers read in different ways and scopes.Endpoints does not see.
func (o Original) path() (u *url.URL, ok bool) {
	if len(o.URI) == 0 || o.URI[0] != '/' {
		return nil, false // also http://host/path, of which a server may use only a part
	}
	for _, c := range []byte(o.URI) {
		if c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
			return nil, false
		}
	}
	u, err := url.ParseRequestURI(o.URI)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return nil, false
	}
	return u, true
}
