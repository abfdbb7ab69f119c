package web

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"
)

// ForGateway marks the request as one about a call of an API, for a handler that is
// asked for each of them. What succeeds is logged at debug, since the API and its
// gateway have logs themselves; of refusals that are alike, few are logged (see
// Sampler). from is the address of the API's caller, which replaces that of the gateway
// in the log; zero: it is not known.
func ForGateway(c *gin.Context, from netip.Addr) {
	x := exchangeOf(c)
	x.gateway = true
	x.address, x.unknown = from, !from.IsValid()
}

// RefusesGateway marks a request to such a handler that says nothing of an API's caller:
// its sender is not a gateway, or makes a mistake. The log has the address of the sender.
func RefusesGateway(c *gin.Context) { exchangeOf(c).gateway = true }

// IsFrom reports whether the connection of the request comes from one of the networks.
// Headers do not matter.
func IsFrom(r *http.Request, networks []netip.Prefix) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && trusted(networks, clean(peer.Addr()))
}

// IgnoreBody sends the response of a request without waiting for its body, which
// nobody reads. Otherwise net/http reads a part of it before it sends the headers. A
// connection of HTTP/1 ends with the response, since the rest of the body would be taken
// for the next request.
func IgnoreBody(c *gin.Context) {
	if c.Request.ContentLength == 0 {
		return
	}
	control := http.NewResponseController(c.Writer)
	_ = control.EnableFullDuplex() // fails in tests without a connection
	_ = control.SetReadDeadline(time.Now().Add(refusedTime))
	endConnection(c)
}
