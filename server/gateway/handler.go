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
	Policies Policies // for Envoy over HTTP
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
// pass on, or 403 without a challenge if the gateway asks in a wrong way, or 503 if nobody
// can tell.
func (h *Handler) Serve(c *gin.Context) error { return h.serve(c, h.read) }

// question is what a gateway asks: may this request pass?
type question struct {
	need          Need
	original      Original
	authorization []string // the lines of the header
}

// read returns the question of a request. Errors: apierr.AccessDenied.
func (h *Handler) read(c *gin.Context) (q question, err error) {
	r := c.Request
	if q.need, err = h.needs.of(r.URL.RawQuery, h.o.Uses); err != nil {
		return question{}, err
	}
	q.original, q.authorization = h.o.Family.read(r.Header, h.o.Proxies), r.Header["Authorization"]
	return q, nil
}

// serve is Serve for a request whose question read finds.
func (h *Handler) serve(c *gin.Context, read func(*gin.Context) (question, error)) error {
	web.IgnoreBody(c)
	t, err := h.ask(c, read)
	if err != nil {
		return err
	}
	state(c.Writer.Header(), &t)
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	return nil
}

// ask returns the token if the request may pass, and the error to respond with
// otherwise. It counts and notes the decision.
func (h *Handler) ask(c *gin.Context, read func(*gin.Context) (question, error)) (Token, error) {
	t, err := h.decide(c, read)
	h.observe(c, err)
	return t, err
}

func (h *Handler) decide(c *gin.Context, read func(*gin.Context) (question, error)) (Token, error) {
	if err := h.o.Peer(c.Request); err != nil {
		web.RefusesGateway(c)
		return Token{}, err
	}
	q, err := read(c)
	if err != nil {
		web.RefusesGateway(c)
		return Token{}, err
	}
	web.ForGateway(c, q.original.From)
	token, err := bearer(q.authorization)
	if err != nil {
		return Token{}, err
	}
	ctx := newDeadline(c.Request.Context(), decideWithin)
	defer ctx.stop()
	t, err := h.o.Tokens.Find(ctx, token, q.original.From)
	if errors.Is(err, context.DeadlineExceeded) {
		return Token{}, errLate.Because(err)
	}
	if err != nil {
		return Token{}, err
	}
	note(web.EventOf(c), &t)
	return t, check(&t, q.need, q.original)
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
