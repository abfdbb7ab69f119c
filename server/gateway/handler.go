package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/auth"
	"github.com/grantd/grantd/server/web"
)

// Path is the path of the endpoint.
const Path = "/forward-auth"

// Tokens finds tokens.
type Tokens interface {
	// Find returns the token, active or not. from is the address of the request that
	// the gateway asks about; zero: not known.
	// Errors: apierr.Unavailable, store.ErrUnavailable if nobody can tell now.
	Find(ctx context.Context, token string, from netip.Addr) (Token, error)
}

// Options are what a Handler needs.
type Options struct {
	Tokens Tokens
	Family Family
	// Peer returns nil if the sender of the request may ask: it is a gateway.
	// Errors: apierr.AccessDenied.
	Peer func(*http.Request) error
	// Proxies are in front of the gateway. Their entries of X-Forwarded-For are not the
	// address of a caller.
	Proxies  []netip.Prefix
	Uses     []string // kinds of tokens that can be active; nil: all
	Policies Policies // for Envoy
	// Observe is called with the outcome of each decision, and the cause of a refusal;
	// nil: nothing is.
	Observe func(outcome, cause string)
}

// Handler serves /forward-auth.
type Handler struct {
	o     Options
	needs needs
}

// New returns a Handler.
func New(o Options) *Handler { return &Handler{o: o} }

// Mount adds the routes for every method, also those that gin does not know: gateways
// ask with the method of the original request. web.Options.Raw must have PathEnvoy.
func (h *Handler) Mount(e *gin.Engine) {
	serve, serveEnvoy := web.Handle(h.Serve), web.Handle(h.ServeEnvoy)
	e.Any(Path, serve)
	e.Any(PathEnvoy+"*original", serveEnvoy)
	e.NoMethod(func(c *gin.Context) {
		handle := web.Handle(web.MethodNotAllowed)
		switch path := c.Request.URL.Path; {
		case path == Path:
			handle = serve
		case strings.HasPrefix(path, PathEnvoy):
			handle = serveEnvoy
		default:
			handle(c)
			return
		}
		c.Writer.Header().Del("Allow")
		handle(c)
	})
}

// Serve decides about one request. It reads no body. The response is 200 with the
// X-Auth headers, or 401 or 403 with the challenge of RFC 6750 §3 for the gateway to
// pass on, or 503 if nobody can tell.
func (h *Handler) Serve(c *gin.Context) error { return h.serve(c, h.read) }

// read returns what the request asks: what the token needs, and about which request.
// Errors: apierr.AccessDenied.
func (h *Handler) read(r *http.Request) (need Need, o Original, err error) {
	if need, err = h.needs.of(r.URL.RawQuery, h.o.Uses); err != nil {
		return Need{}, Original{}, err
	}
	return need, h.o.Family.read(r.Header, h.o.Proxies), nil
}

// serve is Serve for a request that read understands.
func (h *Handler) serve(c *gin.Context, read func(*http.Request) (Need, Original, error)) error {
	web.IgnoreBody(c)
	err := h.decide(c, read)
	h.observe(c, err)
	if err != nil {
		return err
	}
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	return nil
}

// decide sets the X-Auth headers if the request may pass, and returns the error to
// respond with otherwise.
func (h *Handler) decide(c *gin.Context, read func(*http.Request) (Need, Original, error)) error {
	if err := h.o.Peer(c.Request); err != nil {
		web.RefusesGateway(c)
		return err
	}
	need, original, err := read(c.Request)
	if err != nil {
		web.RefusesGateway(c)
		return err
	}
	web.ForGateway(c, original.From)
	token, err := bearer(c.Request.Header["Authorization"])
	if err != nil {
		return err
	}
	ctx := newDeadline(c.Request.Context(), decideWithin)
	defer ctx.stop()
	t, err := h.o.Tokens.Find(ctx, token, original.From)
	if errors.Is(err, context.DeadlineExceeded) {
		return errLate.Because(err)
	}
	if err != nil {
		return err
	}
	note(web.EventOf(c), &t)
	if err := check(&t, need, original); err != nil {
		return err
	}
	state(c.Writer.Header(), &t)
	return nil
}

var errLate = apierr.New(apierr.Unavailable, "the token cannot be checked at the moment; try again")

// note records the token in the access event.
func note(ev *web.Event, t *Token) {
	ev.NoteEnd(t.ID, t.VoidOf, t.EndedAt)
	ev.ClientID, ev.PartnerID, ev.PartnerTokenID, ev.Verdict = t.ClientID, t.PartnerID, t.PartnerTokenID, web.Inactive
	if t.Active {
		ev.Verdict = web.Active
	}
}

// state sets what the API learns about the token. Every header is set, so that no value
// that the caller sent under its name gets through.
func state(h http.Header, t *Token) {
	values := [...]string{t.ClientID, t.Subject, t.Scope, t.Use, t.CustomerID, t.OrgID, t.PartnerID}
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
