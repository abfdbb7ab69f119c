package web

import (
	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// forOperator returns f with why the store failed, and the cause's word, if the
// caller is an operator whom the admin API has recognized. Everybody else learns
// only that the server cannot serve now.
func forOperator(c *gin.Context, f *apierr.Error) (*apierr.Error, store.Cause) {
	if f.Code != apierr.Unavailable || EventOf(c).Actor == "" {
		return f, ""
	}
	cause := store.CauseOf(f.Cause)
	if cause == "" {
		return f, ""
	}
	told := *f
	told.Description = cause.Reason() + "; then try again"
	return &told, cause
}
