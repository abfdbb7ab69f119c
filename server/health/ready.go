package health

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// readyFor is how long the result of a check of the store serves everybody who asks
// whether this process is ready. The check writes, and anybody may ask.
const readyFor = time.Second

// Capabilities, as the parameter and the body name them.
const (
	paramFor   = "for"
	issue      = "issue"
	introspect = "introspect"
)

// Problem is why something is not as it should be: a stable word, and a sentence
// that says what is wrong and what to do. It holds no secret and no address.
type Problem struct {
	Cause  string `json:"cause"`
	Reason string `json:"reason"`
}

// Causes that are not of the store.
var (
	draining = Problem{"draining", "the process is about to stop: send requests to another one"}
	stale    = Problem{"feed_not_fresh", "the feed of revocations could not be confirmed in time: check the store; the log says more"}
)

func problemOf(cause store.Cause) *Problem {
	return &Problem{Cause: string(cause), Reason: cause.Reason()}
}

// capability is whether this process can do one thing now.
type capability struct {
	Ready  bool   `json:"ready"`
	Cause  string `json:"cause,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// readiness is the body of /readyz. Cause and Reason are those of the status.
type readiness struct {
	Status       string                `json:"status"`
	Cause        string                `json:"cause,omitempty"`
	Reason       string                `json:"reason,omitempty"`
	Capabilities map[string]capability `json:"capabilities"`
	Warnings     []Problem             `json:"warnings,omitempty"`
}

// checks are what readiness depends on. A nil Problem is a check that has passed.
type checks struct {
	draining, written, fresh *Problem
	onlyWrites               bool // what failed in written does not concern reads
	everywhere               bool // another process could not write either
	err                      error
}

func (h *Handler) check(ctx context.Context) (k checks) {
	if h.o.Draining() {
		k.draining = &draining
		return k
	}
	if err := h.ping(ctx); err != nil {
		cause := cmp.Or(store.CauseOf(err), store.CauseUnavailable)
		k.written, k.err = problemOf(cause), err
		k.onlyWrites = cause.RefusesOnlyWrites()
		// Redis is read-only to a process that has not found the new master.
		k.everywhere = k.onlyWrites && !(h.o.Store.Shared() && cause == store.CauseReadOnly)
	}
	if _, err := h.o.Feed.Fresh(ctx); err != nil {
		k.fresh, k.err = &stale, cmp.Or(k.err, err)
		if cause := store.CauseOf(err); cause != "" && cause != store.CauseUnavailable {
			k.fresh = problemOf(cause)
		}
	}
	return k
}

// problems returns why each capability is missing; nil: it is there.
func (k checks) problems() map[string]*Problem {
	all := map[string]*Problem{
		issue:      cmp.Or(k.draining, k.written, k.fresh),
		introspect: cmp.Or(k.draining, k.fresh),
	}
	if !k.onlyWrites {
		all[introspect] = cmp.Or(k.draining, k.written, k.fresh)
	}
	return all
}

// unready returns why requests should go to another process; nil: they should not.
// What no process can do is no reason: a load balancer would take all of them out,
// although they can still do the rest.
func (k checks) unready() *Problem {
	problems := k.problems()
	if problems[introspect] == nil && k.everywhere {
		return nil
	}
	return cmp.Or(problems[introspect], problems[issue])
}

var errFor = apierr.New(apierr.InvalidRequest, "the only parameter is for, given once, with the value issue or introspect")

// readParam returns the capability that the request asks for, or "".
func readParam(query string) (string, error) {
	if query == "" {
		return "", nil
	}
	values, err := url.ParseQuery(query)
	wanted := values[paramFor]
	if err != nil || len(values) != 1 || len(wanted) != 1 || wanted[0] != issue && wanted[0] != introspect {
		return "", errFor
	}
	return wanted[0], nil
}

// Ready is GET /readyz: 503 if another process could do what this one cannot: the
// process is about to stop, cannot reach the store, or its feed is not fresh. With
// for=issue or for=introspect, it is 503 whenever this process cannot do that. The
// body names each capability, with the cause if it is missing.
func (h *Handler) Ready(c *gin.Context) error {
	wanted, err := readParam(c.Request.URL.RawQuery)
	if err != nil {
		return err
	}
	k := h.check(c.Request.Context())
	body := readiness{Status: "ready", Capabilities: map[string]capability{}, Warnings: h.o.Warnings()}
	problems := k.problems()
	for name, problem := range problems {
		it := capability{Ready: problem == nil}
		if problem != nil {
			it.Cause, it.Reason = problem.Cause, problem.Reason
		}
		body.Capabilities[name] = it
	}
	problem := k.unready()
	if wanted != "" {
		problem = problems[wanted]
	}
	status := http.StatusOK
	if problem != nil {
		status = http.StatusServiceUnavailable
		body.Status, body.Cause, body.Reason = "unavailable", problem.Cause, problem.Reason
		web.EventOf(c).Cause = k.err
		c.Header("Retry-After", "1")
	}
	web.JSON(c, status, body)
	return nil
}

// ping returns the result of a check of the store that is at most readyFor old.
func (h *Handler) ping(ctx context.Context) error {
	if err, known := h.recent(); known {
		return err
	}
	shared := context.WithoutCancel(ctx) // Ping ends by the store's timeouts
	result, _, _, err := h.pings.Do(ctx, struct{}{}, func(int) (error, error) {
		if err, known := h.recent(); known {
			return err, nil
		}
		err := h.o.Store.Ping(shared)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.pinged, h.result = time.Now(), err
		return err, nil
	})
	return cmp.Or(err, result)
}

func (h *Handler) recent() (result error, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.result, !h.pinged.IsZero() && time.Since(h.pinged) < readyFor
}
