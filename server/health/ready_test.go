package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/health"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// state is what a handler finds when it checks.
type state struct {
	ping, fresh error
	shared      bool
	draining    bool
	warnings    []health.Problem
	pings       int
}

func (s *state) Ping(context.Context) error { s.pings++; return s.ping }
func (s *state) Shared() bool               { return s.shared }

func (s *state) Fresh(context.Context) (feed.Mark, error) { return feed.Mark{}, s.fresh }

func (s *state) handler(t *testing.T) http.Handler {
	t.Helper()
	h := health.New(health.Options{
		Store: s, Feed: s, Issuer: func() string { return "" },
		Draining: func() bool { return s.draining }, Warnings: func() []health.Problem { return s.warnings },
	})
	e, err := web.NewEngine(web.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	e.GET(health.PathReady, web.Handle(h.Ready))
	return e
}

// body is what a test reads of a response.
type body struct {
	Status, Cause, Reason, Error string
	Capabilities                 map[string]struct {
		Ready         bool
		Cause, Reason string
	}
	Warnings []health.Problem
}

func get(t *testing.T, h http.Handler, query string) (int, body, http.Header) {
	t.Helper()
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest(http.MethodGet, health.PathReady+query, nil))
	var b body
	if err := json.Unmarshal(r.Body.Bytes(), &b); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
	return r.Code, b, r.Header()
}

func unavailable(cause store.Cause) error {
	return store.WithCause(fmt.Errorf("ping 10.0.0.1: %w", store.ErrUnavailable), cause)
}

// TestReady has each cause, whether the store is shared, and what is 503 then: a
// cause that stops only the issuing, everywhere, takes no process out.
func TestReady(t *testing.T) {
	t.Parallel()
	const all, onlyIssue, alsoPlain = "plain introspect issue", "issue", "plain issue"
	for name, c := range map[string]struct {
		state
		cause string
		out   string // what is 503
	}{
		"all is well":                    {state: state{shared: true}},
		"shared store full":              {state{ping: unavailable(store.CauseFull), shared: true}, "store_full", onlyIssue},
		"shared store, no replicas":      {state{ping: unavailable(store.CauseNoReplicas), shared: true}, "store_no_replicas", onlyIssue},
		"shared store cannot write":      {state{ping: unavailable(store.CauseDisk), shared: true}, "store_disk", onlyIssue},
		"another one may see the master": {state{ping: unavailable(store.CauseReadOnly), shared: true}, "store_read_only", alsoPlain},
		"own disk full":                  {state{ping: unavailable(store.CauseDiskFull)}, "store_disk_full", onlyIssue},
		"own file system read-only":      {state{ping: unavailable(store.CauseReadOnly)}, "store_read_only", onlyIssue},
		"unreachable":                    {state{ping: unavailable(store.CauseUnreachable), shared: true}, "store_unreachable", all},
		"loading":                        {state{ping: unavailable(store.CauseLoading), shared: true}, "store_loading", all},
		"wrong password":                 {state{ping: unavailable(store.CauseLogin), shared: true}, "store_login", all},
		"evicting":                       {state{ping: store.ErrUnsuitable, shared: true}, "store_unsuitable", all},
		"without a cause":                {state{ping: errors.New("odd"), shared: true}, "store_unavailable", all},
		"feed not fresh":                 {state{fresh: feed.ErrStale, shared: true}, "feed_not_fresh", all},
		"feed not fresh, with a cause":   {state{fresh: errors.Join(feed.ErrStale, unavailable(store.CauseTimeout)), shared: true}, "store_timeout", all},
		"full and not fresh":             {state{ping: unavailable(store.CauseFull), fresh: feed.ErrStale, shared: true}, "feed_not_fresh", all},
		"draining":                       {state{draining: true, shared: true}, "draining", all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := c.handler(t)
			for what, query := range map[string]string{"plain": "", "issue": "?for=issue", "introspect": "?for=introspect"} {
				status, b, header := get(t, h, query)
				out := strings.Contains(c.out, what)
				if (status == 503) != out || !out && status != 200 {
					t.Errorf("%s: status %d", what, status)
				}
				if out != (b.Status == "unavailable") || out != (b.Reason != "") || out != (header.Get("Retry-After") != "") {
					t.Errorf("%s: %+v, Retry-After %q", what, b, header.Get("Retry-After"))
				}
				for _, name := range []string{"issue", "introspect"} {
					it, known := b.Capabilities[name]
					if missing := strings.Contains(c.out, name); !known || it.Ready == missing || (it.Cause != "") != missing || (it.Reason != "") != missing {
						t.Errorf("%s: %s is %+v", what, name, it)
					}
				}
				if c.cause != "" && what == "issue" && b.Cause != c.cause && c.cause != "feed_not_fresh" {
					t.Errorf("%s: cause %q, want %q", what, b.Cause, c.cause)
				}
				if c.cause != "" && out && what == "plain" && b.Cause != c.cause {
					t.Errorf("%s: cause %q, want %q", what, b.Cause, c.cause)
				}
				if strings.Contains(b.Reason, "10.0.0.1") {
					t.Errorf("the reason repeats the error: %s", b.Reason)
				}
			}
		})
	}
}

func TestReadyParameters(t *testing.T) {
	t.Parallel()
	h := (&state{}).handler(t)
	for _, query := range []string{"?for=", "?for=everything", "?for=issue&for=introspect", "?for=issue&for=issue", "?for=issue&x=1", "?x", "?for=%zz"} {
		if status, b, _ := get(t, h, query); status != 400 || b.Error != "invalid_request" {
			t.Errorf("%s: %d %+v, want 400", query, status, b)
		}
	}
}

func TestReadyWarnings(t *testing.T) {
	t.Parallel()
	want := []health.Problem{{Cause: "clock_skew", Reason: "the clock is wrong"}}
	status, b, _ := get(t, (&state{warnings: want}).handler(t), "")
	if diff := cmp.Diff(want, b.Warnings); status != 200 || diff != "" {
		t.Errorf("%d %s", status, diff)
	}
}

// TestReadyIsSharedForASecond checks that the store is checked once a second.
func TestReadyIsSharedForASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &state{ping: unavailable(store.CauseDiskFull)}
		h := s.handler(t)
		for range 10 {
			get(t, h, "?for=issue")
		}
		s.ping = nil
		if status, _, _ := get(t, h, "?for=issue"); status != 503 || s.pings != 1 {
			t.Errorf("status %d after %d checks", status, s.pings)
		}
		time.Sleep(time.Second)
		if status, _, _ := get(t, h, "?for=issue"); status != 200 || s.pings != 2 {
			t.Errorf("a second later: status %d after %d checks", status, s.pings)
		}
	})
}
