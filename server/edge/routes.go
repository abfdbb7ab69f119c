package edge

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/conns"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/health"
	"github.com/grantd/grantd/server/metrics"
	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/web"
)

// engine returns an engine without routes for the requests that a gate bounds.
func (e *Edge) engine(gate *conns.Listener, ungated ...string) (*gin.Engine, error) {
	return web.NewEngine(web.Options{
		Log: e.log, Lines: e.lines, Observe: e.observe, Gate: gate, Ungated: ungated,
		Bodies:  web.NewBodies(false, func() { gate.Refuse(conns.RefusedBodies) }),
		Sampler: e.sampler, Quiet: true, Raw: []string{gateway.PathEnvoy},
		Refusals: map[string]func(*gin.Context, int) bool{gateway.PathCheck: gateway.RefuseCheck},
	})
}

// handler returns the handler of callers, with all routes.
func (e *Edge) handler() (http.Handler, error) {
	engine, err := e.engine(e.gate, health.PathLive, health.PathReady, metrics.Path)
	if err != nil {
		return nil, err
	}
	engine.POST(oauth.PathIntrospect, web.Handle(web.WithoutURLCredentials(e.introspect)))
	engine.GET(PathToken, web.Handle(e.token))
	e.gateway.Mount(engine)
	e.gateway.MountCheck(engine)
	e.mountWatched(engine)
	return engine, nil
}

// metricsHandler returns the handler of the listener for metrics: other machines reach
// it, and nothing there is for callers.
func (e *Edge) metricsHandler(gate *conns.Listener) (http.Handler, error) {
	engine, err := e.engine(gate)
	if err != nil {
		return nil, err
	}
	e.mountWatched(engine)
	return engine, nil
}

// mountWatched adds the routes for those who watch the process.
func (e *Edge) mountWatched(engine *gin.Engine) {
	for path, handle := range map[string]web.Handler{
		health.PathLive: e.live, health.PathReady: e.ready, metrics.Path: e.serveMetrics(),
	} {
		engine.GET(path, web.Handle(handle))
		engine.HEAD(path, web.Handle(handle))
	}
}

func (e *Edge) serveMetrics() web.Handler {
	h := e.metrics.Handler()
	return func(c *gin.Context) error {
		h.ServeHTTP(c.Writer, c.Request)
		return nil
	}
}

var _ gateway.Tokens = finder{}
