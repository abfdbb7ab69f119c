// Package admin is what every admin endpoint shares: the unix socket and who
// is at its other end, the actor of a change, paging, ETags, and the mounting
// of what features bring. The features' rules are theirs.
package admin

import (
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
	// maxCursor is the length of the longest id: that of a grant, which is two.
	maxCursor = 2*128 + 1
)

// Route is one endpoint that a feature brings.
type Route struct {
	Method string
	Path   string // below Prefix
	Handle web.Handler
	Reads  bool // changes nothing, whatever its method
}

// Authorizer answers who asks, or why that is refused. reads says that the
// endpoint changes nothing.
type Authorizer func(c *gin.Context, reads bool) (actor string, err error)

// Mount adds the routes to the engine of one listener.
func Mount(e *gin.Engine, authorize Authorizer, routes ...[]Route) {
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
				return r.Handle(c)
			}))
		}
	}
}

// ActorOf answers who asks, for the audit.
func ActorOf(c *gin.Context) audit.Actor {
	ev := web.EventOf(c)
	return audit.Actor{Name: ev.Actor, Address: web.AddressString(c), RequestID: ev.RequestID}
}

var (
	errLimit  = apierr.New(apierr.InvalidRequest, "limit is a number from 1 to 500").At("limit")
	errCursor = apierr.New(apierr.InvalidRequest, "cursor is not one that this server gave").At("cursor")
	errMatch  = apierr.New(apierr.InvalidRequest, `If-Match is the ETag of a record, such as "3", or *`)
)

// Page reads limit and cursor; after is what the last page ended with.
func Page(c *gin.Context) (after string, limit int, err error) {
	limit = DefaultPage
	if l := c.Query("limit"); l != "" {
		if limit, err = strconv.Atoi(l); err != nil || limit < 1 || limit > MaxPage {
			return "", 0, errLimit
		}
	}
	b, err := base64.RawURLEncoding.DecodeString(c.Query("cursor"))
	if err != nil || len(b) > maxCursor {
		return "", 0, errCursor
	}
	return string(b), limit, nil
}

// Cursor answers the cursor of the page after one with count items of which
// last is the last; "" at the end.
func Cursor(last string, count, limit int) string {
	if count < limit {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(last))
}

// ETag names the version of a record in the response.
func ETag(c *gin.Context, version uint64) {
	c.Header("ETag", `"`+strconv.FormatUint(version, 10)+`"`)
}

// IfMatch answers the version that the caller wants the record to have, as in
// registry.Step; 0 if it does not say.
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
