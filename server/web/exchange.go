package web

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"
)

// usualParams is how many parameters of a request need no memory of their
// own.
const usualParams = 10

// exchange is what belongs to one request and its answer: one allocation for
// all of it. It stands in for gin's writer, where every handler finds it.
type exchange struct {
	gin.ResponseWriter
	event    Event
	idHeader [1]string // the value of X-Request-Id
	address  netip.Addr
	jsonAPI  bool // errors are rendered as JSON:API has them
	params   [usualParams]param
}

// exchangeOf answers the exchange of the request.
func exchangeOf(c *gin.Context) *exchange {
	if x, ok := c.Writer.(*exchange); ok {
		return x
	}
	return &exchange{ResponseWriter: c.Writer} // a handler outside NewEngine, in a test
}

// newExchange begins one; proxied says whether a header may tell the address.
func newExchange(c *gin.Context, proxied bool) *exchange {
	x := &exchange{ResponseWriter: c.Writer, address: peer(c, proxied)}
	x.event.RequestID = requestID(c.Request.Header)
	x.idHeader[0] = x.event.RequestID
	c.Writer = x
	return x
}

// peer answers the caller's address: the peer's, or what a trusted proxy says
// in X-Forwarded-For. The zero Addr on a unix socket.
func peer(c *gin.Context, proxied bool) netip.Addr {
	if proxied {
		a, err := netip.ParseAddr(c.ClientIP())
		if err != nil {
			return netip.Addr{}
		}
		return a.Unmap()
	}
	a, err := netip.ParseAddrPort(c.Request.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// Address answers the caller's address: the peer's, or what a trusted proxy
// says in X-Forwarded-For. The zero Addr on a unix socket.
func Address(c *gin.Context) netip.Addr { return exchangeOf(c).address }

// AddressString is Address, or "" on a unix socket.
func AddressString(c *gin.Context) string {
	if a := Address(c); a.IsValid() {
		return a.String()
	}
	return ""
}

// requestID keeps a caller's id if it is a UUID or hexadecimal, and makes one
// otherwise: what is kept is logged, so it must not be able to hold a secret.
// It need not be hard to guess.
func requestID(h map[string][]string) string {
	if given := h["X-Request-Id"]; len(given) > 0 && len(given[0]) >= 8 && len(given[0]) <= maxIDLen && isHex(given[0]) {
		return given[0]
	}
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:], rand.Uint64())
	binary.NativeEndian.PutUint64(b[8:], rand.Uint64())
	var text [32]byte
	hex.Encode(text[:], b[:])
	return string(text[:])
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}
