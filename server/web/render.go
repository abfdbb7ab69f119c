package web

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// Challenges of RFC 7617 and RFC 6750; every 401 carries one.
const (
	challengeBasic  = `Basic realm="grantd", charset="UTF-8"`
	challengeBearer = `Bearer realm="grantd"`
)

// retryAfter returns how long callers are asked to wait, in whole seconds: at least one.
func retryAfter(wait time.Duration) string {
	return strconv.FormatInt(max(1, int64(math.Ceil(wait.Seconds()))), 10)
}

// wire is how callers see a code. An empty name means that they see the code
// itself.
type wire struct {
	status int
	name   string
}

var wires = map[apierr.Code]wire{
	apierr.InvalidClient:        {http.StatusUnauthorized, ""},
	apierr.InvalidToken:         {http.StatusUnauthorized, ""},
	apierr.InsufficientScope:    {http.StatusForbidden, ""},
	apierr.AccessDenied:         {http.StatusForbidden, ""},
	apierr.Unavailable:          {http.StatusServiceUnavailable, ""},
	apierr.ServerError:          {http.StatusInternalServerError, ""},
	apierr.ClientGeneratedID:    {http.StatusForbidden, string(apierr.InvalidRequest)},
	apierr.NotFound:             {http.StatusNotFound, ""},
	apierr.MethodNotAllowed:     {http.StatusMethodNotAllowed, string(apierr.InvalidRequest)},
	apierr.TooLarge:             {http.StatusRequestEntityTooLarge, string(apierr.InvalidRequest)},
	apierr.UnsupportedMediaType: {http.StatusUnsupportedMediaType, string(apierr.InvalidRequest)},
	apierr.TooManyRequests:      {http.StatusTooManyRequests, ""},
	apierr.NoToken:              {http.StatusUnauthorized, string(apierr.InvalidToken)},
	apierr.Conflict:             {http.StatusConflict, ""},
	apierr.PreconditionFailed:   {http.StatusPreconditionFailed, ""},
	apierr.VerificationRequired: {http.StatusForbidden, ""},
	apierr.NoVerification:       {http.StatusForbidden, ""},
	apierr.NotSent:              {http.StatusServiceUnavailable, string(apierr.Unavailable)},
}

// appendError appends the error of RFC 6749 §5.2, and for an admin request the
// member that is wrong or why the store failed.
func appendError(b []byte, name string, f *apierr.Error, cause store.Cause) []byte {
	b = AppendString(append(b, `{"error":`...), name)
	if f.Description != "" {
		b = AppendString(append(b, `,"error_description":`...), f.Description)
	}
	if f.Field != "" {
		b = AppendString(append(b, `,"field":`...), f.Field)
	}
	if cause != "" {
		b = AppendString(append(b, `,"cause":`...), string(cause))
	}
	return append(b, '}')
}

var (
	errUnavailable = apierr.New(apierr.Unavailable, "the store cannot be reached; try again")
	errInternal    = apierr.New(apierr.ServerError, "something went wrong here; the log has it under the request id")
)

// asAPIError returns the apierr.Error in err. Without one, it is Unavailable if the
// store could not be reached, and ServerError otherwise.
func asAPIError(err error) *apierr.Error {
	var f *apierr.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, store.ErrUnavailable):
		return errUnavailable.Because(err)
	}
	return errInternal.Because(err)
}

// StatusHungUp is the status that the log and the metrics show for a caller that hung
// up before its response. It is never sent; proxies use the same number.
const StatusHungUp = 499

// errorHungUp is the error of such a request in the log.
const errorHungUp = "caller_hung_up"

// hungUp reports whether the request failed because its caller hung up. Then nothing is
// wrong here.
func hungUp(c *gin.Context, f *apierr.Error) bool {
	return errors.Is(c.Request.Context().Err(), context.Canceled) &&
		(f.Code == apierr.Unavailable || errors.Is(f, context.Canceled))
}

// insufficient returns the challenge of a token that lacks the scope; "": it lacks
// something else (RFC 6750 §3).
func insufficient(scope string) string {
	challenge := challengeBearer + `, error="insufficient_scope"`
	if scope != "" {
		challenge += `, scope="` + scope + `"`
	}
	return challenge
}

// render responds with the error. No other code does.
func render(c *gin.Context, err error) {
	f := asAPIError(err)
	ev := EventOf(c)
	ev.Error, ev.Cause = string(f.Code), f.Cause
	if f.Code == apierr.InvalidRequest && f.Cause == nil && ev.Actor == "" {
		ev.Description = f.Description
	}
	if f.Code == apierr.InsufficientScope && ev.Scope == "" {
		ev.Scope = plainScopes(f.Scope)
	}
	if c.Writer.Written() {
		return
	}
	if hungUp(c, f) {
		ev.Error, exchangeOf(c).left = errorHungUp, true
		c.Abort()
		return
	}
	w, ok := wires[f.Code]
	if !ok {
		w.status = http.StatusBadRequest // RFC 6749 §5.2
	}
	if w.name == "" {
		w.name = string(f.Code)
	}
	h := c.Writer.Header()
	switch f.Code {
	case apierr.InvalidClient:
		h.Set("WWW-Authenticate", challengeBasic)
	case apierr.NoToken:
		h.Set("WWW-Authenticate", challengeBearer)
	case apierr.InvalidToken:
		h.Set("WWW-Authenticate", challengeBearer+`, error="invalid_token"`)
	case apierr.InsufficientScope:
		h.Set("WWW-Authenticate", insufficient(f.Scope))
	case apierr.Unavailable, apierr.NotSent, apierr.TooManyRequests:
		h.Set("Retry-After", retryAfter(f.RetryAfter))
	}
	x := exchangeOf(c)
	refuse := x.refusals[c.FullPath()]
	switch {
	case refuse != nil && refuse(c, w.status):
		x.decided = w.status
	case x.jsonAPI:
		sendErrorDocument(c, w, f)
	default:
		body := NewBody()
		told, cause := forOperator(c, f)
		body.B = appendError(body.B, w.name, told, cause)
		Send(c, w.status, body)
	}
	c.Abort()
}
