package guard

import (
	"net/netip"
	"slices"
	"time"

	"github.com/grantd/grantd/scopes/endpoints"
)

// Values of Token.Use.
const (
	UseClient   = "client"
	UseCustomer = "customer"
	UseOnBehalf = "on_behalf"
	UsePartner  = "partner"
	UseKey      = "key"
)

// Token is what the authorization server says about a token that a caller
// presented (RFC 7662 §2.2). It does not hold the token itself. Requests share it:
// do not change it.
type Token struct {
	Active              bool
	Bound               bool   // to a certificate or a DPoP key, which the guard does not check: Check refuses it
	Subject             string // with its kind: client:…, customer:…, org:… or partner:…
	ClientID            string // "" for on-behalf and partner tokens and for keys
	Use                 string // UseClient and so on
	OrgID               string
	CustomerID          string // of a customer token: filter every query by it
	AuthorizedUserID    string // of a customer that is a business: the person, if known
	PartnerID           string
	Issuer              string
	JTI                 string // identifies the token: for logs
	Actor               *Actor // who acts for the subject
	Scopes, Audience    []string
	SourceIPs           []string // addresses and CIDRs that the token may be used from; none: any
	Endpoints           []string // patterns of net/http's ServeMux; none: any
	Resources           []Resource
	IssuedAt            time.Time
	ExpiresAt           time.Time
	AuthTime            time.Time // when the customer last entered a code; zero: never
	AMR                 []string  // RFC 8176
	Raw                 []byte    // the response as JSON, without void_keys and feed_position
	sources             []netip.Prefix
	endpoints           endpoints.Set
	serverTime, heardAt time.Time // see setClock
}

// Actor is the party that acts for the subject of a token (RFC 8693 §4.1).
type Actor struct{ Subject string }

// Resource names objects of one type that a token may be used for.
type Resource struct {
	Type string
	IDs  []string
}

// setClock notes what the authorization server's clock showed (the Date of its
// response), and the local time before the request was sent, with its monotonic
// reading. So MaxAge does not depend on the wall clock of this machine. The core calls it
// before the token is shared.
func (t *Token) setClock(server, sent time.Time) { t.serverTime, t.heardAt = server, sent }

// now returns the time by the clock of the authorization server, or a little more;
// if that is not known, the local one.
func (t *Token) now() time.Time {
	if t.serverTime.IsZero() {
		return time.Now()
	}
	// Date has whole seconds: it may have been up to one second later than it says.
	return t.serverTime.Add(time.Second + time.Since(t.heardAt))
}

// holdsScope reports whether the token has the scope.
func (t *Token) holdsScope(scope string) bool { return slices.Contains(t.Scopes, scope) }
