package gateway

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/extauthz"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/server/web"
)

// PathCheck is the path that Envoy calls over gRPC.
const PathCheck = extauthz.Path

var (
	errCall       = apierr.New(apierr.UnsupportedMediaType, "this path is for gRPC: HTTP/2 with Content-Type: application/grpc")
	errMessage    = apierr.New(apierr.InvalidRequest, "the message is not a CheckRequest of envoy.service.auth.v3").Because(refusal.GatewayMessage)
	errCompressed = apierr.New(apierr.InvalidRequest, "the message is compressed, which is not supported: Envoy compresses none").Because(refusal.GatewayMessage)
)

// MountCheck adds the route for Envoy's calls over gRPC. RefuseCheck must be among
// web.Options.Refusals for PathCheck.
func (h *Handler) MountCheck(e *gin.Engine) { e.POST(PathCheck, web.Handle(h.ServeCheck)) }

// ServeCheck decides about the request that Envoy describes in a call of ext_authz. The
// rules are those of Serve:
//
//   - The context extensions of the route replace the query. Only the configuration of
//     Envoy can set them.
//   - Method and path are those of the message, which Envoy routes by. No header states
//     them, so none that a caller sends can.
//   - The address is that of Envoy's peer. If that is a trusted proxy, it is the last
//     entry of X-Forwarded-For that is not one.
//
// The status of gRPC is OK also if nobody can tell: the message then says 503. With
// another status, Envoy would do what failure_mode_allow says, and that can be to pass
// the request on.
func (h *Handler) ServeCheck(c *gin.Context) error {
	if !extauthz.IsCall(c.Request) {
		return errCall
	}
	t, err := h.ask(c, h.readCheck)
	if err != nil {
		return err
	}
	return extauthz.Send(c.Writer, extauthz.Allowed(statedPairs(&t)))
}

// readCheck returns the question of a call. If the message is compressed, it also sends
// the response.
// Errors: apierr.InvalidRequest, TooLarge, Unavailable, AccessDenied.
func (h *Handler) readCheck(c *gin.Context) (q question, err error) {
	var r extauthz.Request
	err = web.ReadMessage(c, func(body []byte) (err error) {
		r, err = extauthz.Read(body)
		return err
	})
	switch {
	case errors.Is(err, extauthz.ErrCompressed):
		web.Decide(c, http.StatusBadRequest)
		extauthz.RefuseCompressed(c.Writer)
		c.Writer.WriteHeaderNow()
		return question{}, errCompressed
	case errors.Is(err, extauthz.ErrMalformed):
		return question{}, errMessage
	case err != nil:
		if f, ok := errors.AsType[*apierr.Error](err); ok && f.Code == apierr.TooLarge {
			return question{}, f.Because(refusal.GatewayMessage)
		}
		return question{}, err
	}
	web.AdoptRequestID(c, r.RequestID)
	if q.need, err = h.needs.of(queryOf(r.Extensions), h.o.Uses); err != nil {
		return question{}, err
	}
	q.original = Original{Method: r.Method, URI: r.Path, From: lastForwarded(append(r.ForwardedFor, r.Source), h.o.Proxies)}
	q.authorization = r.Authorization
	if len(r.Authorization) == 1 && strings.Contains(r.Authorization[0], ",") {
		q.authorization = strings.Split(r.Authorization[0], ",") // Envoy joined them; a bearer token has no comma
	}
	return q, nil
}

// queryOf returns the context extensions as a query.
func queryOf(extensions []extauthz.Pair) string {
	parts := make([]string, len(extensions))
	for i, e := range extensions {
		parts[i] = url.QueryEscape(e.Name) + "=" + url.QueryEscape(e.Value)
	}
	return strings.Join(parts, "&")
}

// statedPairs returns what the API learns about the token, with names in lower case, as
// HTTP/2 has them.
func statedPairs(t *Token) []extauthz.Pair {
	h := make(http.Header, len(stated))
	state(h, t)
	pairs := make([]extauthz.Pair, len(stated))
	for i, name := range stated {
		pairs[i] = extauthz.Pair{Name: strings.ToLower(name), Value: h[name][0]}
	}
	return pairs
}

// passedOn are the headers of a refusal that Envoy sends to the caller.
var passedOn = [...]string{"WWW-Authenticate", "Cache-Control", "Retry-After"}

// RefuseCheck responds to a call that is refused: Envoy must respond with the status and
// the headers that web has set. It returns false if the request is not a call.
func RefuseCheck(c *gin.Context, status int) (done bool) {
	if !extauthz.IsCall(c.Request) {
		return false
	}
	h := c.Writer.Header()
	pairs := make([]extauthz.Pair, len(passedOn))
	for i, name := range passedOn {
		pairs[i] = extauthz.Pair{Name: strings.ToLower(name), Value: h.Get(name)}
	}
	h.Del("WWW-Authenticate")
	h.Del("Retry-After")
	_ = extauthz.Send(c.Writer, extauthz.Denied(status, pairs)) // Envoy has hung up
	return true
}
