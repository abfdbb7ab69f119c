package gateway

import (
	"context"
	"errors"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/refusal"
)

// Outcomes of a decision, for the metrics.
const (
	Passed      = "passed"
	Refused     = "refused"     // 401 or 403; for a message over gRPC also 400 and 413
	Unavailable = "unavailable" // nobody can tell
)

// observe counts the decision with its outcome, and the cause of a refusal. A gateway
// that hangs up before the decision does not count.
func (h *Handler) observe(c *gin.Context, err error) {
	if h.o.Observe == nil || err != nil && errors.Is(c.Request.Context().Err(), context.Canceled) {
		return
	}
	h.o.Observe(outcomeOf(err))
}

func outcomeOf(err error) (outcome, cause string) {
	if err == nil {
		return Passed, ""
	}
	f, ok := errors.AsType[*apierr.Error](err)
	if !ok {
		return Unavailable, ""
	}
	switch f.Code {
	case apierr.NoToken, apierr.InvalidToken, apierr.InsufficientScope, apierr.AccessDenied, apierr.InvalidRequest, apierr.TooLarge:
		word, _ := errors.AsType[refusal.Cause](f.Cause)
		return Refused, string(word)
	}
	return Unavailable, ""
}
