package web

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/logbuf"
)

// Bounds of a request.
const (
	MaxBody    = 64 << 10
	MaxParams  = 100
	maxIDLen   = 36
	maxJSONLen = 1 << 20 // admin bodies
)

// Handler responds to a request, or returns an error for web to render.
type Handler func(c *gin.Context) error

// Options are what an engine needs.
type Options struct {
	Log *slog.Logger
	// Lines takes access events as JSON; nil: they go through Log.
	Lines          *logbuf.Writer
	TrustedProxies []string // addresses and CIDRs whose X-Forwarded-For is trusted
	// Documents are prefixes of paths. Below them errors are JSON:API documents.
	Documents []string
	// Observe is called after every request; nil: nothing is.
	Observe func(route string, status int, took time.Duration)
}

// NewEngine makes a gin engine that responds to unknown paths and methods in
// JSON, never redirects, sets the common headers, logs an access event for every
// request, and recovers from panics.
func NewEngine(o Options) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false // a redirect would make clients post secrets again
	e.HandleMethodNotAllowed = true
	e.RemoteIPHeaders = []string{"X-Forwarded-For"}
	// gin would trust X-Forwarded-For of every caller on a unix socket.
	e.ForwardedByClientIP = len(o.TrustedProxies) > 0
	if err := e.SetTrustedProxies(o.TrustedProxies); err != nil {
		return nil, err
	}
	e.Use(begin(o), refuseEncodedSlash)
	e.NoRoute(Handle(func(*gin.Context) error {
		return apierr.New(apierr.NotFound, "there is nothing at this path")
	}))
	e.NoMethod(Handle(func(*gin.Context) error {
		return apierr.New(apierr.MethodNotAllowed, "this path does not support this method; see the Allow header")
	}))
	return e, nil
}

// Handle returns the Handler as a gin handler, which renders the error once.
func Handle(h Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			render(c, err)
		}
	}
}

// refuseEncodedSlash refuses a path with an encoded slash: gin would route by
// the decoded path, and a properly escaped id would reach another endpoint.
func refuseEncodedSlash(c *gin.Context) {
	if raw := c.Request.URL.RawPath; raw != "" && strings.Contains(strings.ToLower(raw), "%2f") {
		render(c, apierr.New(apierr.NotFound, "there is nothing at this path"))
	}
}

// Values of headers, shared by all responses: they must not be changed in place.
var (
	noStore  = []string{"no-store"}
	noCache  = []string{"no-cache"}
	noSniff  = []string{"nosniff"}
	typeJSON = []string{"application/json"}
)

// begin makes the exchange with its access event, sets the headers of every
// response, and logs the event when the request is done.
func begin(o Options) gin.HandlerFunc {
	proxied := len(o.TrustedProxies) > 0
	return func(c *gin.Context) {
		started := time.Now()
		x := newExchange(c, proxied)
		x.jsonAPI = slices.ContainsFunc(o.Documents, func(prefix string) bool { return strings.HasPrefix(c.Request.URL.Path, prefix) })
		h := c.Writer.Header()
		h["Cache-Control"] = noStore
		h["Pragma"] = noCache
		h["X-Content-Type-Options"] = noSniff
		h["X-Request-Id"] = x.idHeader[:]
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				x.event.Stack = string(debug.Stack())
				f := errInternal
				if err, ok := p.(runtime.Error); ok { // other values could hold what a caller sent
					f = f.Because(err)
				}
				render(c, f)
			}
			took := time.Since(started)
			l := line{
				Event: &x.event, method: c.Request.Method, route: route(c), status: x.Status(),
				took: took, address: x.address,
			}
			l.write(c, o.Log, o.Lines, started.Add(took))
			if o.Observe != nil {
				o.Observe(l.route, l.status, took)
			}
		}()
		c.Next()
	}
}
