package edge

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/health"
	"github.com/grantd/grantd/server/metrics"
	"github.com/grantd/grantd/server/web"
)

// readiness is the body of /healthz and /readyz. Warnings are what is wrong although
// requests are served.
type readiness struct {
	Status   string           `json:"status"`
	Cause    string           `json:"cause,omitempty"`
	Reason   string           `json:"reason,omitempty"`
	Warnings []health.Problem `json:"warnings,omitempty"`
}

// live is GET /healthz: the process can respond.
func (e *Edge) live(c *gin.Context) error {
	web.JSON(c, http.StatusOK, readiness{Status: "ok"})
	return nil
}

// Why the process is not ready.
var (
	draining   = health.Problem{Cause: "draining", Reason: "the process is about to stop"}
	notReached = health.Problem{Cause: "server_not_reached", Reason: "the server has not been reached since the start: check --upstream, --client-id and the secret; the log says more"}
	notJudged  = health.Problem{Cause: "tokens_not_judged", Reason: "the stream of revocations is not up to date, and the server could not be asked about a token: check the server, the network and the secret; the log says more"}
	differs    = health.Problem{Cause: "registration_differs", Reason: "the resource server is registered with other settings than this process has: the log says which, and what to run"}
)

// notFresh is a warning: requests are served, and slower. A gateway or a load balancer
// that took the API out for it would turn it into an outage of every API.
var notFresh = health.Problem{Cause: "stream_not_fresh", Reason: "the stream of revocations is not up to date, so the server is asked about each token: check the server and the network; the log says more"}

const (
	// probe is a token that no server has made.
	probe     = "gt_readyz"
	probeTime = time.Second
)

// judges reports whether the server can be asked about a token, while the stream is not
// fresh. The guard keeps a response for a second, so a server that responds is not asked
// more often.
func (e *Edge) judges() bool {
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	_, err := e.guard.Introspect(ctx, probe, netip.Addr{})
	return err == nil
}

// problem returns why every request gets 503; nil: they are served.
func (e *Edge) problem() *health.Problem {
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
	case !s.Fresh && !e.judges():
		return &notJudged
	}
	return nil
}

// ready is GET /readyz: 503 with the cause while no token can be judged.
func (e *Edge) ready(c *gin.Context) error {
	body, status := readiness{Status: "ready"}, http.StatusOK
	s := e.guard.State()
	if p := e.problem(); p != nil {
		body, status = readiness{Status: "unavailable", Cause: p.Cause, Reason: p.Reason}, http.StatusServiceUnavailable
		web.EventOf(c).Cause = s.Err
		c.Header("Retry-After", "1")
	} else if !s.Fresh {
		body.Warnings = []health.Problem{notFresh}
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
