// Package guardgin protects handlers of gin with a guard.Guard. It has the API of
// package guard, for gin.HandlerFunc, and decides nothing itself.
//
//	r := gin.New()
//	r.GET("/users", guardgin.Require(g, "users:read"), func(c *gin.Context) {
//		c.String(200, "hello, %s", guardgin.Token(c).Subject)
//	})
package guardgin

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/scopes/guard"
)

// Require is Guard.Require for gin: it passes a request on only if its token is active,
// is of a client, and has all the scopes. Otherwise it responds and aborts the chain.
func Require(g *guard.Guard, scopes ...string) gin.HandlerFunc {
	return wrap(g.Require(scopes...))
}

// RequireUse is Guard.RequireUse for gin: Require for tokens of these uses.
func RequireUse(g *guard.Guard, uses []string, scopes ...string) gin.HandlerFunc {
	return wrap(g.RequireUse(uses, scopes...))
}

// MaxAge is guard.MaxAge for gin: the customer must have entered a code at most d ago.
// It follows Require or RequireUse.
func MaxAge(d time.Duration) gin.HandlerFunc { return wrap(guard.MaxAge(d)) }

// Token returns the token of the request; nil if neither Require nor RequireUse let it
// through. guard.FromContext finds it in c.Request.Context() too.
func Token(c *gin.Context) *guard.Token {
	t, _ := guard.FromContext(c.Request.Context())
	return t
}

// Allowed is guard.Allowed for gin: it reports whether the token of the request may be
// used for the object.
func Allowed(c *gin.Context, typ, id string) bool {
	return guard.Allowed(c.Request.Context(), typ, id)
}

// Metadata is Guard.Metadata for gin. Mount it with GET, HEAD and OPTIONS at
// g.MetadataPath().
func Metadata(g *guard.Guard) gin.HandlerFunc { return gin.WrapH(g.Metadata()) }

// carrier takes the context of gin through middleware of net/http.
type carrier struct {
	gin.ResponseWriter
	c      *gin.Context
	passed bool
}

// wrap returns the middleware as a handler of gin, which aborts the chain unless the
// middleware passes the request on.
func wrap(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	h := middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through := w.(*carrier)
		through.c.Request, through.passed = r, true
	}))
	return func(c *gin.Context) {
		through := &carrier{ResponseWriter: c.Writer, c: c}
		h.ServeHTTP(through, c.Request)
		if !through.passed {
			c.Abort()
		}
	}
}
