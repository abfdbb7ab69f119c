// Package admin holds what all admin endpoints share: the unix socket and the
// identity of its peer, the actor of a change, paging, ETags, and the mounting of
// the features' routes. The rules belong to the features.
package admin

import (
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/web"
)

// Prefix is where the admin API is.
const Prefix = "/admin/v1"

// Bounds of a page, in items.
const (
	DefaultPage = 50
	MaxPage     = 500
	// maxCursor is the length of the longest id: a grant's, which is two ids and
	// a slash.
	maxCursor = 2*128 + 1
)

// Route is one endpoint of a feature.
type Route struct {
	Method string
	Path   string // below Prefix
	Handle web.Handler
	Reads  bool     // changes nothing, whatever its method; see RequireWrite
	Query  []string // its query parameters; all others are refused
}

// Authorizer returns the actor of a request, or the error that refuses it. It is
// called with reads if the endpoint changes nothing.
type Authorizer func(c *gin.Context, reads bool) (actor string, err error)

// Mount adds the routes to the engine of one listener. isUnconfirmed reports
// whether a change that was made is not confirmed yet (store.Store).
func Mount(e *gin.Engine, authorize Authorizer, isUnconfirmed func() bool, routes ...[]Route) {
	group := e.Group(Prefix)
	for _, feature := range routes {
		for _, r := range feature {
			reads := r.Reads || r.Method == http.MethodGet
			group.Handle(r.Method, r.Path, web.Handle(func(c *gin.Context) error {
				actor, err := authorize(c, reads)
				if err != nil {
					return err
				}
				web.EventOf(c).Actor = actor
				c.Set(authorizerKey, authorize)
				if err := checkQuery(c, r.Query); err != nil {
					return err
				}
				if reads {
					return r.Handle(c)
				}
				return change(c, r.Handle, isUnconfirmed)
			}))
		}
	}
}

// authorizerKey is where a request has the Authorizer of its listener.
const authorizerKey = "grantd.authorizer"

// RequireWrite returns an error unless the caller may make changes. It is for a route
// that Reads, if only the body says that the response shows what operators who may only
// read must not learn.
func RequireWrite(c *gin.Context) error {
	authorize, ok := c.MustGet(authorizerKey).(Authorizer)
	if !ok {
		return errScope // no route of Mount
	}
	_, err := authorize(c, false)
	return err
}

// ActorOf returns the actor of the request, for the audit.
func ActorOf(c *gin.Context) audit.Actor {
	ev := web.EventOf(c)
	return audit.Actor{Name: ev.Actor, Address: web.AddressString(c), RequestID: ev.RequestID}
}

var (
	errLimit  = apierr.New(apierr.InvalidRequest, "limit must be a number from 1 to 500").At(paramLimit)
	errCursor = apierr.New(apierr.InvalidRequest, "cursor is not from this server: use next_cursor of the page before").At(paramCursor)
	errTime   = apierr.New(apierr.InvalidRequest, "must be a time such as 2026-01-31T08:00:00Z, or how long ago it was, such as 24h or 7d")
	errMatch  = apierr.New(apierr.InvalidRequest, `If-Match must be the ETag of a record, such as "3", or *`)
)

// readPage reads limit and cursor. after is the id that the last page ended with.
func readPage(c *gin.Context) (after string, limit int, err error) {
	limit = DefaultPage
	if l := c.Query(paramLimit); l != "" {
		if limit, err = strconv.Atoi(l); err != nil || limit < 1 || limit > MaxPage {
			return "", 0, errLimit
		}
	}
	b, err := base64.RawURLEncoding.DecodeString(c.Query(paramCursor))
	if err != nil || len(b) > maxCursor {
		return "", 0, errCursor
	}
	return string(b), limit, nil
}

// nextCursor returns the cursor of the page after one that has count items and ends
// with last; "" if that was the last page.
func nextCursor(last string, count, limit int) string {
	if count < limit {
		return ""
	}
	return cursorAfter(last)
}

// cursorAfter returns the cursor of the page after one that ends with the item
// last; "" if that is "".
func cursorAfter(last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(last))
}

// setETag sets the response's ETag to the version of the record.
func setETag(c *gin.Context, version uint64) {
	c.Header("ETag", `"`+strconv.FormatUint(version, 10)+`"`)
}

// IfMatch returns the version that the record must have, as registry.Step has
// it; 0 if the request does not say.
func IfMatch(c *gin.Context) (uint64, error) {
	h := c.GetHeader("If-Match")
	switch h {
	case "":
		return 0, nil
	case "*":
		return registry.AnyVersion, nil
	}
	v, err := strconv.ParseUint(strings.Trim(h, `"`), 10, 64)
	if err != nil || v == 0 || v == registry.AnyVersion {
		return 0, errMatch
	}
	return v, nil
}

// Call returns the handler of a route whose body and whose response are those of do.
func Call[In, Out any](do func(context.Context, audit.Actor, In) (Out, error)) func(*gin.Context) error {
	return call(do, false)
}

// CallOptional is Call for an action that needs no body.
func CallOptional[In, Out any](do func(context.Context, audit.Actor, In) (Out, error)) func(*gin.Context) error {
	return call(do, true)
}

func call[In, Out any](do func(context.Context, audit.Actor, In) (Out, error), optional bool) func(*gin.Context) error {
	return func(c *gin.Context) error {
		var in In
		if err := web.ReadJSON(c, &in, optional); err != nil {
			return err
		}
		out, err := do(c.Request.Context(), ActorOf(c), in)
		if err != nil {
			return err
		}
		web.JSON(c, http.StatusOK, out)
		return nil
	}
}
