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

// handler returns the handler with all routes.
func (e *Edge) handler() (http.Handler, error) {
	engine, err := web.NewEngine(web.Options{
		Log: e.log, Lines: e.lines, Observe: e.metrics.Requests(), Gate: e.gate,
		Ungated: []string{health.PathLive, health.PathReady, metrics.Path},
		Bodies:  web.NewBodies(false, func() { e.gate.Refuse(conns.RefusedBodies) }),
		Sampler: e.sampler, Quiet: true, Raw: []string{gateway.PathEnvoy},
	})
	if err != nil {
		return nil, err
	}
	engine.POST(oauth.PathIntrospect, web.Handle(web.WithoutURLCredentials(e.introspect)))
	engine.GET(PathToken, web.Handle(e.token))
	e.gateway.Mount(engine)
	for path, handle := range map[string]web.Handler{
		health.PathLive: e.live, health.PathReady: e.ready, metrics.Path: e.serveMetrics(),
	} {
		engine.GET(path, web.Handle(handle))
		engine.HEAD(path, web.Handle(handle))
	}
	return engine, nil
}

func (e *Edge) serveMetrics() web.Handler {
	h := e.metrics.Handler()
	return func(c *gin.Context) error {
		h.ServeHTTP(c.Writer, c.Request)
		return nil
	}
}

var _ gateway.Tokens = finder{}
