package oauth

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/server/voidkeys"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Issues records tokens that were issued, and uses of partner tokens. It must not
// block.
type Issues interface {
	RecordPartnerUse(partnerID, tokenID string, from netip.Addr)
	RecordIssue(clientID, secretID string, from netip.Addr)
	RecordPartnerIssue(partnerID, tokenID, orgID string, from netip.Addr)
	// RecordKeyUse records that a resource server was presented an API key.
	RecordKeyUse(keyID string, from netip.Addr)
}

// Quota bounds how many tokens a client may have. It must not block.
type Quota interface {
	// TakeWithin counts a token. own replaces the configured limit unless it is zero.
	TakeWithin(clientID string, own ratelimit.Limit) (wait time.Duration)
	// NameWithin returns the name of the limit that applies.
	NameWithin(own ratelimit.Limit) string
	RecordIssue(clientID string, life time.Duration)
}

// RevocationQuota bounds how many tokens a client may revoke: each one is kept by
// every replica until the token would have expired. A customer or partner that ends
// its own tokens has a separate count, under its principal key, so that no one else
// can use it up. It must not block.
type RevocationQuota interface {
	TakeToken(owner string) (wait time.Duration)
}

// Observer counts events for the metrics.
type Observer interface {
	CountIssued(use string)
	CountIntrospected(active bool, cache string)
	CountSigned()
}

// Audit records that a token was revoked, or that this was tried, and the outcome. by
// is a client's id or another principal key. It must not block.
type Audit interface {
	Revoked(by, jti string, from netip.Addr, outcome error)
}

// Options are what the endpoints need.
type Options struct {
	Environment string
	Issuer      func() string // known once the listener is bound
	Auth        *auth.Authenticator
	Clients     *registry.Cache[store.Client]
	Tokens      *tokens.Service
	VoidKeys    *voidkeys.Encoder
	Signer      Signer
	Catalogue   func() *scopes.Catalogue
	Issues      Issues
	Quota       Quota
	Revokes     RevocationQuota
	Observe     Observer
	Audit       Audit
	OnBehalf    OnBehalf
	MCP         bool // the metadata has the members that MCP clients insist on
	Records     []Records
	Now         func() time.Time
}

// Endpoints holds the handlers.
type Endpoints struct {
	o        Options
	document atomic.Pointer[document]
}

// New makes the handlers.
func New(o Options) *Endpoints { return &Endpoints{o: o} }

// withClientAuth adds the parameters of client authentication to those of an
// endpoint.
func withClientAuth(params ...web.Param) []web.Param {
	for _, name := range []string{paramClientID, paramClientSecret, paramAssertion, paramAssertionType} {
		params = append(params, web.Param{Name: name, Kind: web.Single})
	}
	return params
}

// readClientAuth reads what the request holds for client authentication.
func readClientAuth(c *gin.Context, p web.Params) auth.Presented {
	return auth.Presented{
		Authorization: c.Request.Header["Authorization"],
		ClientID:      p.Get(paramClientID),
		ClientSecret:  p.Get(paramClientSecret),
		Assertion:     p.Get(paramAssertion),
		AssertionType: p.Get(paramAssertionType),
	}
}
