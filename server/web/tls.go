package web

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
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
		if err != nil || !trusted(proxies, clean(peer.Addr())) {
			render(c, errPlain.Because(refusal.NotFromProxy))
			return
		}
		if cause := plainCause(c.Request.Header["X-Forwarded-Proto"]); cause != "" {
			render(c, errPlain.Because(cause))
		}
	}
}

// plainCause returns why X-Forwarded-Proto does not say that a request came over TLS;
// "": it does. Several proxies may make a list, in one header or in several, and its
// first entry may be the caller's invention: a list is never accepted.
func plainCause(values []string) refusal.Cause {
	switch {
	case len(values) == 0:
		return refusal.ProtoMissing
	case len(values) > 1 || strings.Contains(values[0], ","):
		return refusal.ProtoList
	case values[0] == "https":
		return ""
	case strings.EqualFold(values[0], "https"):
		return refusal.ProtoCase
	case strings.EqualFold(values[0], "http"):
		return refusal.ProtoPlain
	}
	return refusal.ProtoUnknown
}
