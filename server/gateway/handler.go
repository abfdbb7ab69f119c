package gateway

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/web"
)

// Path is the path of the endpoint.
const Path = "/forward-auth"

// Tokens finds tokens.
type Tokens interface {
	// Find returns the token; the zero Token if it is not active. from is the
	// address of the request that the gateway asks about; zero: not known.
	// Errors: apierr.Unavailable, store.ErrUnavailable if nobody can tell now.
	Find(ctx context.Context, token string, from netip.Addr) (Token, error)
}

// Options are what a Handler needs.
type Options struct {
	Tokens Tokens
	Family Family
	// Peer reports whether the sender of the request may ask: it is a gateway.
	Peer func(*http.Request) bool
	// Proxies are in front of the gateway. Their entries of X-Forwarded-For are not the
	// address of a caller.
	Proxies []netip.Prefix
	// Uses returns the kinds of tokens that can be active; nil: all.
	Uses func() []string
}

// Handler serves /forward-auth.
type Handler struct{ o Options }

// New returns a Handler.
func New(o Options) *Handler { return &Handler{o} }

var errPeer = apierr.New(apierr.AccessDenied, "only a gateway may ask, and this address is not one of the trusted proxies")

// Mount adds the route for every method, also those that gin does not know: Envoy asks
// with the method of the original request.
func (h *Handler) Mount(e *gin.Engine) {
	serve := web.Handle(h.Serve)
	e.Any(Path, serve)
	e.NoMethod(func(c *gin.Context) {
		if c.Request.URL.Path != Path {
			web.Handle(web.MethodNotAllowed)(c)
			return
		}
		c.Writer.Header().Del("Allow")
		serve(c)
	})
}

// Serve decides about one request. It reads no body. The response is 200 with the
// X-Auth headers, or 401 or 403 with the challenge of RFC 6750 §3 for the gateway to
// pass on, or 503 if nobody can tell.
func (h *Handler) Serve(c *gin.Context) error {
	if !h.o.Peer(c.Request) {
		return errPeer
	}
	var accepted []string
	if h.o.Uses != nil {
		accepted = h.o.Uses()
	}
	need, err := readNeed(c.Request.URL.RawQuery, accepted)
	if err != nil {
		return err
	}
	token, err := bearer(c.Request.Header["Authorization"])
	if err != nil {
		return err
	}
	original := h.o.Family.read(c.Request.Header, h.o.Proxies)
	t, err := h.o.Tokens.Find(c.Request.Context(), token, original.From)
	if err != nil {
		return err
	}
	ev := web.EventOf(c)
	ev.ClientID, ev.TokenID, ev.Verdict = t.ClientID, t.ID, web.Inactive
	if t.Active {
		ev.Verdict = web.Active
	}
	if err := check(t, need, original); err != nil {
		return err
	}
	state(c.Writer.Header(), t)
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	return nil
}

// state sets what the API learns about the token. Every header is set, so that no value
// that the caller sent under its name gets through.
func state(h http.Header, t Token) {
	values := [...]string{t.ClientID, t.Subject, scopes.Join(t.Scopes), t.Use, t.CustomerID, t.OrgID, t.PartnerID}
	for i, name := range stated {
		h[name] = values[i : i+1 : i+1]
	}
}

// stated are the headers of the response, in the order of state.
var stated = [...]string{
	"X-Auth-Client-Id", "X-Auth-Subject", "X-Auth-Scope", "X-Auth-Token-Use", "X-Auth-Customer-Id", "X-Auth-Org-Id", "X-Auth-Partner-Id",
}

// bearer returns the token of the Authorization header. Whether it has the form of a
// token is for Tokens to know. Errors: apierr.NoToken, InvalidToken.
func bearer(lines []string) (string, error) {
	if len(lines) > 1 {
		return "", errTwoHeaders
	}
	token, ok := auth.Presented{Authorization: lines}.Bearer()
	switch {
	case !ok:
		return "", errNoToken
	case token == "":
		return "", errEmpty
	}
	return token, nil
}
