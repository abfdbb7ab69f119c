package web

import (
	"net/netip"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
)

var errPlain = apierr.New(apierr.InvalidRequest, "this server takes requests only over TLS; replace any credential that was just sent in the clear")

// RequireTLS refuses requests that did not come over TLS to a trusted proxy,
// for a listener that is behind one (RFC 6749 §3.2). It trusts
// X-Forwarded-Proto only from the proxies. Without a list of proxies it trusts
// every peer. It lets requests to the paths in open through: these are health
// checks, which carry no credentials.
func RequireTLS(proxies []netip.Prefix, open ...string) gin.HandlerFunc {
	return func(c *gin.Context) {
		if len(proxies) == 0 || slices.Contains(open, c.FullPath()) {
			return
		}
		peer, err := netip.ParseAddrPort(c.Request.RemoteAddr)
		proto := c.Request.Header.Values("X-Forwarded-Proto")
		if err != nil || !trusted(proxies, clean(peer.Addr())) || len(proto) != 1 || proto[0] != "https" {
			render(c, errPlain)
		}
	}
}
