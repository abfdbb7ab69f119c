package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
)

// TestSamplerOfFailures: of the responses 503 one line is logged for each route and
// cause, also if the causes hold another port each time, and whatever the callers are.
// The counts have the level of the lines. They take no room from 429.
func TestSamplerOfFailures(t *testing.T) {
	var b strings.Builder
	s := NewSampler(slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelWarn})))
	logged := 0
	fail := func(route, cause string, i int) {
		l := &line{
			Event:  &Event{ClientID: strings.Repeat("c", i%100+1), Error: "temporarily_unavailable", Cause: errors.New(cause)},
			status: http.StatusServiceUnavailable, route: route, address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}),
		}
		if s.admit(l, time.Now()) {
			logged++
		}
	}
	for i := range 5_000 {
		fail("/oauth/introspect", fmt.Sprintf("read tcp 127.0.0.1:%d->192.0.2.1:443: connection reset by peer", 10_000+i), i)
	}
	if logged != 1 {
		t.Fatalf("%d lines of one outage", logged)
	}
	fail("/forward-auth", "read tcp 127.0.0.1:9->192.0.2.1:443: connection reset by peer", 0)
	fail("/oauth/introspect", "status 502", 0)
	if logged != 3 {
		t.Errorf("%d lines: another route and another cause have one each", logged)
	}
	for i := range 10 * sampledCauses {
		fail("/oauth/introspect", strings.Repeat("x", i+1), i)
	}
	if logged > sampledCauses+1 {
		t.Errorf("%d lines, and at most %d causes are kept apart", logged, sampledCauses)
	}
	limited := &line{Event: &Event{ClientID: "a", Error: "too_many_requests"}, status: http.StatusTooManyRequests, address: netip.Addr{}}
	if other := (&line{Event: &Event{ClientID: "b", Error: "too_many_requests"}, status: http.StatusTooManyRequests}); !s.admit(limited, time.Now()) || !s.admit(other, time.Now()) {
		t.Error("failures take the room of refusals")
	}
	s.Flush()
	if log := b.String(); !strings.Contains(log, `"level":"ERROR","msg":"requests refused and not logged one by one","more":4999,`) || s.causes != 0 {
		t.Errorf("%.400s", log)
	}
}

// TestQuiet: a quiet engine logs what succeeds at debug, and one line of an outage.
func TestQuiet(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelInfo: 2, slog.LevelDebug: 102} {
		var b strings.Builder
		log := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level}))
		sampler := NewSampler(log)
		e, err := NewEngine(Options{Log: log, Quiet: true, Sampler: sampler})
		if err != nil {
			t.Fatal(err)
		}
		e.GET("/good", Handle(func(c *gin.Context) error { c.Status(http.StatusOK); return nil }))
		e.GET("/away", Handle(func(*gin.Context) error { return apierr.New(apierr.Unavailable, "away") }))
		for range 100 {
			for _, path := range []string{"/good", "/away"} {
				e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, http.NoBody))
			}
		}
		sampler.Flush()
		if got := strings.Count(b.String(), "\n"); got != want || strings.Count(b.String(), `"more":99,`) != 1 {
			t.Errorf("at %s: %d lines, want %d: %.600s", level, got, want, b.String())
		}
	}
}
