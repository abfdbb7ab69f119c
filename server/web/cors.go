package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/refusal"
)

// CrossOrigin lets web pages of some other origins call some routes (CORS, Fetch
// Standard §3.2). Those routes read no cookies, so credentials mode is never allowed.
// Every other route has no CORS headers, so no page can read its responses.
type CrossOrigin struct {
	origins map[string][]string // with the header that allows each
	routes  map[string]preflight
}

// preflight is what a response to the preflights of a route holds.
type preflight struct {
	methods []string
	header  []string // Access-Control-Allow-Methods
}

// Headers of all responses to pages. They must not be changed in place.
var (
	varyOrigin     = []string{"Origin"}
	exposedHeaders = []string{"X-Request-Id, Retry-After, WWW-Authenticate"}
	requestHeaders = []string{"Authorization, Content-Type, Traceparent, Tracestate, X-Request-Id"}
	// preflightAge is the longest that Chromium keeps it, in seconds.
	preflightAge = []string{"7200"}
)

// readHeaders are the names in requestHeaders as browsers send them.
var readHeaders = strings.Split(strings.ToLower(requestHeaders[0]), ", ")

// NewCrossOrigin returns what lets pages of the origins call routes that Allow adds.
// Each origin is written as browsers send it.
func NewCrossOrigin(origins []string) *CrossOrigin {
	x := &CrossOrigin{origins: map[string][]string{}, routes: map[string]preflight{}}
	for _, o := range origins {
		x.origins[o] = []string{o}
	}
	return x
}

// Allow adds a method of a route. It must not be called once there are requests.
func (x *CrossOrigin) Allow(method, route string) {
	methods := append(x.routes[route].methods, method)
	x.routes[route] = preflight{methods, []string{strings.Join(methods, ", ")}}
}

// mark sets the headers that every response of a route has, errors too: without them
// the page could not read why it was refused. Preflight sets those of preflights.
func (x *CrossOrigin) mark(c *gin.Context, h http.Header) {
	if _, ok := x.routes[c.FullPath()]; !ok {
		return
	}
	h["Vary"] = varyOrigin // also without Origin: another response would have it
	if c.Request.Method == http.MethodOptions {
		return
	}
	if allowed := x.allowed(c.Request.Header); allowed != nil {
		h["Access-Control-Allow-Origin"] = allowed
		h["Access-Control-Expose-Headers"] = exposedHeaders
	}
}

// allowed returns the header that allows the origin of the request; nil: it is not
// listed, or there is not exactly one.
func (x *CrossOrigin) allowed(h http.Header) []string {
	if lines := h["Origin"]; len(lines) == 1 {
		return x.origins[lines[0]]
	}
	return nil
}

var errPreflight = apierr.New(apierr.AccessDenied, "pages of this origin must not call this path in this way")

// Preflight serves OPTIONS of the routes: a browser asks before the page may send a
// request with a bearer token. A page that may not gets no CORS headers, and the same
// response whatever the reason; the log has the cause.
func (x *CrossOrigin) Preflight(c *gin.Context) error {
	route, asked := x.routes[c.FullPath()], c.Request.Header["Access-Control-Request-Method"]
	h := c.Writer.Header()
	if len(asked) == 0 { // not a preflight
		h["Allow"] = []string{strings.Join(append([]string{http.MethodOptions}, route.methods...), ", ")}
		c.Status(http.StatusNoContent)
		return nil
	}
	origin := x.allowed(c.Request.Header)
	switch {
	case origin == nil:
		EventOf(c).Origin = plainOrigin(c.Request.Header["Origin"])
		return errPreflight.Because(refusal.OriginNotListed)
	case len(asked) != 1 || !slices.Contains(route.methods, asked[0]):
		return errPreflight.Because(refusal.PreflightMethod)
	case !readsHeaders(c.Request.Header["Access-Control-Request-Headers"]):
		return errPreflight.Because(refusal.PreflightHeader)
	}
	h["Access-Control-Allow-Origin"] = origin
	h["Access-Control-Allow-Methods"] = route.header
	h["Access-Control-Allow-Headers"] = requestHeaders
	h["Access-Control-Max-Age"] = preflightAge
	c.Status(http.StatusNoContent)
	return nil
}

// readsHeaders reports whether grantd reads every header in the lists of names.
func readsHeaders(lists []string) bool {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			if name != "" && !slices.Contains(readHeaders, name) {
				return false
			}
		}
	}
	return true
}

// maxOrigin is the longest origin that is logged: a host name has at most 253
// characters.
const maxOrigin = 270

// plainOrigin returns the origin for the log, or "" unless it has the form of one: a
// caller can send anything.
func plainOrigin(lines []string) string {
	const characters = "abcdefghijklmnopqrstuvwxyz0123456789-._:[]"
	if len(lines) != 1 || len(lines[0]) > maxOrigin {
		return ""
	}
	scheme, host, ok := strings.Cut(lines[0], "://")
	switch {
	case lines[0] == "null":
	case !ok || scheme != "https" && scheme != "http" || strings.Trim(host, characters) != "" || !plainHost(host):
		return ""
	}
	return strings.Clone(lines[0])
}

// plainHost reports whether a host, maybe with a port, is an address, or a name that is
// not like a secret.
func plainHost(host string) bool {
	if at := strings.LastIndexByte(host, ':'); at >= 0 && len(host)-at <= len(":65535") {
		host = host[:at]
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || !credential.LooksSecret(host)
}
