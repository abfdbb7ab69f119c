package web

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/fault"
	"github.com/grantd/grantd/store"
)

// Challenges of RFC 7617 and RFC 6750; every 401 carries one.
const (
	challengeBasic  = `Basic realm="grantd", charset="UTF-8"`
	challengeBearer = `Bearer realm="grantd"`
)

// retryAfter is what a 503 asks callers to wait, in seconds.
const retryAfter = "1"

// wire is how a code looks to callers.
type wire struct {
	status int
	name   string
}

var wires = map[fault.Code]wire{
	fault.InvalidClient:        {http.StatusUnauthorized, ""},
	fault.InvalidToken:         {http.StatusUnauthorized, ""},
	fault.InsufficientScope:    {http.StatusForbidden, ""},
	fault.AccessDenied:         {http.StatusForbidden, ""},
	fault.Unavailable:          {http.StatusServiceUnavailable, ""},
	fault.ServerError:          {http.StatusInternalServerError, ""},
	fault.NotFound:             {http.StatusNotFound, ""},
	fault.MethodNotAllowed:     {http.StatusMethodNotAllowed, string(fault.InvalidRequest)},
	fault.TooLarge:             {http.StatusRequestEntityTooLarge, string(fault.InvalidRequest)},
	fault.UnsupportedMediaType: {http.StatusUnsupportedMediaType, string(fault.InvalidRequest)},
	fault.TooManyRequests:      {http.StatusTooManyRequests, ""},
	fault.NoToken:              {http.StatusUnauthorized, string(fault.InvalidToken)},
	fault.Conflict:             {http.StatusConflict, ""},
	fault.PreconditionFailed:   {http.StatusPreconditionFailed, ""},
	fault.VerificationRequired: {http.StatusForbidden, ""},
	fault.NotSent:              {http.StatusServiceUnavailable, string(fault.Unavailable)},
}

// appendError appends RFC 6749 §5.2, with the member that is wrong where an
// admin request has one.
func appendError(b []byte, name string, f *fault.Error) []byte {
	b = AppendString(append(b, `{"error":`...), name)
	if f.Description != "" {
		b = AppendString(append(b, `,"error_description":`...), f.Description)
	}
	if f.Field != "" {
		b = AppendString(append(b, `,"field":`...), f.Field)
	}
	return append(b, '}')
}

var (
	faultUnavailable = fault.New(fault.Unavailable, "the store cannot be reached; try again")
	faultInternal    = fault.New(fault.ServerError, "something went wrong here; the log has it under the request id")
)

// asFault answers the fault that err is or stands for: what cannot reach the
// store is fault.Unavailable, everything unknown fault.ServerError.
func asFault(err error) *fault.Error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, store.ErrUnavailable):
		return faultUnavailable.Because(err)
	}
	return faultInternal.Because(err)
}

// render is the one place where an error becomes a response.
func render(c *gin.Context, err error) {
	f := asFault(err)
	ev := EventOf(c)
	ev.Error, ev.Cause = string(f.Code), f.Cause
	if c.Writer.Written() {
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
	case fault.InvalidClient:
		h.Set("WWW-Authenticate", challengeBasic)
	case fault.NoToken:
		h.Set("WWW-Authenticate", challengeBearer)
	case fault.InvalidToken:
		h.Set("WWW-Authenticate", challengeBearer+`, error="invalid_token"`)
	case fault.InsufficientScope:
		h.Set("WWW-Authenticate", challengeBearer+`, error="insufficient_scope", scope="`+f.Scope+`"`)
	case fault.Unavailable, fault.NotSent:
		h.Set("Retry-After", retryAfter)
	case fault.TooManyRequests:
		h.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(f.RetryAfter.Seconds())), 10))
	}
	if exchangeOf(c).jsonAPI {
		sendErrorDocument(c, w, f)
	} else {
		body := NewBody()
		body.B = appendError(body.B, w.name, f)
		Send(c, w.status, body)
	}
	c.Abort()
}
