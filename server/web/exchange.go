package web

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/conns"
)

// usualParams is how many parameters of a request need no allocation.
const usualParams = 10

// exchange is the state of one request and its response, in one allocation. It
// replaces gin's writer, where every handler finds it.
type exchange struct {
	gin.ResponseWriter
	event    Event
	idHeader [1]string // the value of X-Request-Id
	address  netip.Addr
	unknown  bool                                                    // a proxy forwarded the request, and the address could not be read
	jsonAPI  bool                                                    // errors are JSON:API documents
	unlogged bool                                                    // the gate says in one line how many there are
	left     bool                                                    // the caller hung up: it gets no response
	gateway  bool                                                    // see ForGateway
	decided  int                                                     // see Decide; 0: nothing was decided
	refusals map[string]func(c *gin.Context, status int) (done bool) // see Options.Refusals
	bodies   *Bodies
	place    conns.Place
	started  time.Time
	answered time.Time // when a stream began; zero: it is none
	parent   Parent
	span     Span  // nil: none
	amend    Amend // nil: nothing is amended
	params   [usualParams]param
}

// exchangeOf returns the exchange of the request.
func exchangeOf(c *gin.Context) *exchange {
	if x, ok := c.Writer.(*exchange); ok {
		return x
	}
	return &exchange{ResponseWriter: c.Writer} // a test calls a handler without NewEngine
}

// Unwrap returns the writer of net/http, for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter {
	if u, ok := x.ResponseWriter.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return x.ResponseWriter
}

// newExchange makes the exchange of the request. The proxies may say in a header
// what the caller's address is.
func newExchange(c *gin.Context, o *Options) *exchange {
	x := &exchange{ResponseWriter: c.Writer}
	x.address, x.unknown = callerAddress(c.Request, o.TrustedProxies)
	if o.Proxied && isOfProxy(c.Request, o.TrustedProxies) {
		x.address, x.unknown = netip.Addr{}, true
	}
	x.event.RequestID = requestID(c.Request.Header)
	x.idHeader[0] = x.event.RequestID
	x.parent = parentOf(c.Request.Header)
	x.event.TraceID = x.parent.TraceID
	c.Writer = x
	return x
}

// Address returns the address of the caller: that of the connection, or the one
// that a trusted proxy put into X-Forwarded-For. It is the zero Addr on a unix
// socket, and if the address in the header cannot be read: no list of addresses
// contains it, and it counts as a separate address for the limits.
func Address(c *gin.Context) netip.Addr { return exchangeOf(c).address }

// AddressString returns Address as text: "" on a unix socket, and "unknown" if it
// cannot be read.
func AddressString(c *gin.Context) string {
	x := exchangeOf(c)
	switch {
	case x.unknown:
		return unknownAddress
	case x.address.IsValid():
		return x.address.String()
	}
	return ""
}

// Decide notes the status of a decision that is in the body of the response. The log and
// the metrics show it instead of the status of HTTP.
func Decide(c *gin.Context, status int) { exchangeOf(c).decided = status }

// AdoptRequestID replaces the id of the request by that of the request that it is about,
// if that looks like one.
func AdoptRequestID(c *gin.Context, id string) {
	if x := exchangeOf(c); isRequestID(id) {
		x.event.RequestID, x.idHeader[0] = id, id
	}
}

// requestID returns the caller's id if it looks like a UUID or is hexadecimal, and
// a new one otherwise. The id is logged, so it must not be able to hold a secret.
// It may be easy to guess.
func requestID(h map[string][]string) string {
	if given := h["X-Request-Id"]; len(given) > 0 && isRequestID(given[0]) {
		return given[0]
	}
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:], rand.Uint64())
	binary.NativeEndian.PutUint64(b[8:], rand.Uint64())
	var text [32]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

func isRequestID(s string) bool { return len(s) >= 8 && len(s) <= maxIDLen && isHex(s) }

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}
