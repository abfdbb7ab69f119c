package web

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/conns"
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
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is trusted
	// Proxied: every request comes from a proxy. The address of the connection is then
	// never that of the caller, who has none that is known unless a proxy says it.
	Proxied bool
	// Documents are prefixes of paths. Below them errors are JSON:API documents.
	Documents []string
	// Observe is called after every request; nil: nothing is.
	Observe func(route string, status int, took time.Duration)
	// Trace begins the span of each request; nil: there are none.
	Trace Trace
	// Gate bounds the requests in progress; nil: nothing does.
	Gate *conns.Listener
	// Ungated are the paths outside of it: those that tell whether the process
	// lives, and those whose response is long and the same for everybody.
	Ungated []string
	// Bodies bounds the long bodies in memory.
	Bodies *Bodies
	// CrossOrigin has the routes that web pages of other origins may call; nil: none.
	CrossOrigin *CrossOrigin
	// Sampler has few of the responses 429 logged, and few of the 401 and 403 for
	// gateways (see ForGateway); nil: all are.
	Sampler *Sampler
	// Raw are prefixes of paths, in the form in which requests send them. Handlers below
	// them read the path as it was sent, so encoded slashes are not refused there.
	Raw []string
	// Refusals has, by route, a function that responds to a refused request, for routes
	// whose callers do not read errors as JSON. It is called with the status; the headers
	// of the response have the challenge and Retry-After already. It returns false if it
	// leaves the response to web.
	Refusals map[string]func(c *gin.Context, status int) (done bool)
	// Quiet: requests that succeed are logged at debug, and the Sampler has few of the
	// responses 503 logged too. It is for a process that is asked for each call of an
	// API, which has a log itself.
	Quiet bool
}

// NewEngine makes a gin engine that responds to unknown paths and methods in
// JSON, never redirects, sets the common headers, logs an access event for every
// request, and recovers from panics.
func NewEngine(o Options) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false // a redirect would make clients post secrets again
	e.HandleMethodNotAllowed = true
	// callerAddress finds the address. gin replaces one that it cannot read by that
	// of the proxy.
	e.ForwardedByClientIP = false
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	e.Use(begin(o), refuseEncodedSlash(o.Raw))
	e.NoRoute(Handle(func(*gin.Context) error {
		return apierr.New(apierr.NotFound, "there is nothing at this path")
	}))
	e.NoMethod(Handle(MethodNotAllowed))
	return e, nil
}

// MethodNotAllowed is the Handler of a method that a path does not support. gin has set
// the Allow header.
func MethodNotAllowed(*gin.Context) error {
	return apierr.New(apierr.MethodNotAllowed, "this path does not support this method; see the Allow header")
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
// the decoded path, and a properly escaped id would reach another endpoint. except has
// the prefixes of Options.Raw.
func refuseEncodedSlash(except []string) gin.HandlerFunc {
	return func(c *gin.Context) {
		raw := c.Request.URL.RawPath
		if raw == "" || !strings.Contains(strings.ToLower(raw), "%2f") {
			return
		}
		if !slices.ContainsFunc(except, func(prefix string) bool { return strings.HasPrefix(c.Request.RequestURI, prefix) }) {
			render(c, apierr.New(apierr.NotFound, "there is nothing at this path"))
		}
	}
}

// refusedTime is how long a request that may not begin, and its response, may take.
const refusedTime = time.Second

var errBusy = apierr.New(apierr.Unavailable, "too many requests are in progress; try again")

// refuse responds to a request that may not begin. A connection of HTTP/1 ends with
// it, because the body would have to be read first. The deadlines free what the
// request occupies, even if nobody reads the response.
func refuse(c *gin.Context, x *exchange) {
	control, soon := http.NewResponseController(x), time.Now().Add(refusedTime)
	_ = control.SetWriteDeadline(soon)
	_ = control.SetReadDeadline(soon) // net/http reads the rest of the body
	endConnection(c)
	render(c, errBusy)
}

// endConnection ends the connection with the response if it is one of HTTP/1, for a
// body that is not read. On HTTP/2 only the stream ends.
func endConnection(c *gin.Context) {
	if c.Request.ProtoMajor == 1 {
		c.Writer.Header()["Connection"] = connClose
	}
}

// Values of headers, shared by all responses: they must not be changed in place.
var (
	connClose = []string{"close"}
	noStore   = []string{"no-store"}
	noCache   = []string{"no-cache"}
	noSniff   = []string{"nosniff"}
	typeJSON  = []string{"application/json"}
)

// begin makes the exchange with its access event, sets the headers of every
// response, and logs the event when the request is done.
func begin(o Options) gin.HandlerFunc {
	return func(c *gin.Context) {
		started := time.Now()
		x := newExchange(c, &o)
		x.bodies, x.started, x.refusals = o.Bodies, started, o.Refusals
		x.jsonAPI = slices.ContainsFunc(o.Documents, func(prefix string) bool { return strings.HasPrefix(c.Request.URL.Path, prefix) })
		h := c.Writer.Header()
		h["Cache-Control"] = noStore
		h["Pragma"] = noCache
		h["X-Content-Type-Options"] = noSniff
		h["X-Request-Id"] = x.idHeader[:]
		if o.CrossOrigin != nil {
			o.CrossOrigin.mark(c, h)
		}
		if c.Request.ProtoMajor == 1 && len(c.Request.TransferEncoding) > 0 {
			// net/http does not tell whether there was a Content-Length too, after
			// which the connection must not be used again (RFC 9112 §6.1).
			h["Connection"] = connClose
		}
		place, admitted := conns.Place{}, true
		if o.Gate != nil && !slices.Contains(o.Ungated, c.FullPath()) {
			place, admitted = o.Gate.Enter(c.Request, x.address)
		}
		x.place, x.unlogged = place, !admitted
		defer func() { x.place.Leave() }() // a stream has left before
		if o.Trace != nil {
			x.trace(c, o.Trace)
		}
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
				Event: &x.event, method: method(c.Request.Method), route: route(c), status: x.Status(),
				took: took, address: x.address, unknown: x.unknown, quiet: o.Quiet || x.gateway, gateway: x.gateway,
			}
			if x.decided != 0 {
				l.status = x.decided
			}
			if x.left {
				l.status = StatusHungUp
			}
			if l.isSampled() && o.Sampler != nil && o.Log.Enabled(c.Request.Context(), l.level()) {
				x.unlogged = x.unlogged || !o.Sampler.admit(&l, started.Add(took))
			}
			if !x.unlogged {
				l.write(c, o.Log, o.Lines, started.Add(took))
			}
			if x.span != nil {
				x.span.End(Ended{Method: l.method, Route: l.route, RequestID: l.RequestID, Error: l.Error, Status: l.status})
			}
			if o.Observe != nil {
				if !x.answered.IsZero() {
					took = x.answered.Sub(started)
				}
				o.Observe(l.route, l.status, took)
			}
			if x.left {
				panic(http.ErrAbortHandler) // net/http then sends nothing
			}
		}()
		if !admitted {
			refuse(c, x)
			return
		}
		c.Next()
	}
}
