package edge

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/metrics"
	"github.com/grantd/grantd/server/web"
)

// readiness is the body of /healthz and /readyz.
type readiness struct {
	Status string `json:"status"`
	Cause  string `json:"cause,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// live is GET /healthz: the process can respond.
func (e *Edge) live(c *gin.Context) error {
	web.JSON(c, http.StatusOK, readiness{Status: "ok"})
	return nil
}

// Why the process is not ready.
var (
	draining   = readiness{"unavailable", "draining", "the process is about to stop"}
	notReached = readiness{"unavailable", "server_not_reached", "the server has not been reached since the start: check --upstream, --client-id and the secret; the log says more"}
	differs    = readiness{"unavailable", "registration_differs", "the resource server is registered with other settings than this process has: the log says which, and what to run"}
	notFresh   = readiness{"unavailable", "stream_not_fresh", "the stream of revocations is not up to date, so nothing is known for certain: check the server and the network; the log says more"}
)

// problem returns why tokens cannot be judged now; nil: they can be.
func (e *Edge) problem() *readiness {
	s := e.guard.State()
	switch {
	case e.draining.Load():
		return &draining
	case !s.Registered && s.Err == nil:
		return &notReached
	case !s.Registered:
		if _, known := e.guard.Registration(); known {
			return &differs
		}
		return &notReached
	case !s.Fresh:
		return &notFresh
	}
	return nil
}

// ready is GET /readyz: 503 with the cause while tokens cannot be judged.
func (e *Edge) ready(c *gin.Context) error {
	body, status := &readiness{Status: "ready"}, http.StatusOK
	if p := e.problem(); p != nil {
		body, status = p, http.StatusServiceUnavailable
		web.EventOf(c).Cause = e.guard.State().Err
		c.Header("Retry-After", "1")
	}
	web.JSON(c, status, body)
	return nil
}

// state returns what the metrics show.
func (e *Edge) state() metrics.EdgeState {
	s := e.guard.State()
	return metrics.EdgeState{
		Ready: e.problem() == nil, Connected: s.StreamConnected, Age: s.Age, Entries: s.Entries,
		Hits: s.Hits, Misses: s.Misses, Resets: s.Resets, Tokens: e.source.size(),
	}
}
