package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestProblemsDoNotFlood has a row for each course of problems.
func TestProblemsDoNotFlood(t *testing.T) {
	reset := func(port int) error { return fmt.Errorf("read tcp 127.0.0.1:%d->127.0.0.1:80: reset", port) }
	for _, c := range []struct {
		rule string
		then func(p *problems)
		want []string // what is logged
	}{
		{"one for each port", func(p *problems) {
			for i := range 50 {
				p.note(reset(40000 + i))
			}
		}, []string{"WARN begins error=\"read tcp 127.0.0.1:40000->127.0.0.1:80: reset\" not_logged=0"}},
		{"two kinds", func(p *problems) {
			for range 50 {
				p.note(&upstreamError{at: "/a", status: 502})
				p.note(&upstreamError{at: "/a", status: 503})
			}
		}, []string{`WARN begins error="/a returned HTTP status 502" not_logged=0`, `WARN begins error="/a returned HTTP status 503" not_logged=0`}},
		{"every second time", func(p *problems) {
			for range 50 {
				p.note(errClosed)
				p.over()
			}
			time.Sleep(quiet)
		}, []string{`WARN begins error="the guard is closed" not_logged=0`, `INFO ends not_logged=49`}},
		{"for minutes", func(p *problems) {
			for range 125 {
				p.note(errClosed)
				time.Sleep(time.Second)
			}
		}, []string{`WARN begins error="the guard is closed" not_logged=0`, `WARN begins error="the guard is closed" not_logged=59`, `WARN begins error="the guard is closed" not_logged=59`}},
		{"twice, with a pause", func(p *problems) {
			p.note(errClosed)
			p.over()
			time.Sleep(quiet + moment)
			p.note(errClosed)
		}, []string{`WARN begins error="the guard is closed" not_logged=0`, `INFO ends not_logged=0`, `WARN begins error="the guard is closed" not_logged=0`}},
		{"none", func(p *problems) {
			p.over()
			time.Sleep(quiet)
		}, nil},
		{"stopped before it is over", func(p *problems) {
			p.note(errClosed)
			p.over()
			p.stop()
			time.Sleep(quiet)
		}, []string{`WARN begins error="the guard is closed" not_logged=0`}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				plain := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				}}))
				c.then(&problems{log: plain, clock: monotonic(), begins: "begins", ends: "ends"})
				synctest.Wait()
				want := ""
				for _, line := range c.want {
					level, rest, _ := strings.Cut(line, " ")
					want += "level=" + level + " msg=" + rest + "\n"
				}
				if got := log.String(); got != want {
					t.Errorf("logged:\n%swant:\n%s", got, want)
				}
			})
		})
	}
	var many strings.Builder
	p := problems{log: slog.New(slog.NewTextHandler(&many, nil)), clock: monotonic()}
	for i := range 1000 {
		p.note(errors.New(strings.Repeat("x", i)))
	}
	if n := strings.Count(many.String(), "\n"); n > mostKinds {
		t.Errorf("%d lines about %d kinds", n, 1000)
	}
}

// TestProblemIsOverWithoutMiss: the stream that is back ends the problem, also if every
// look-up is then a hit.
func TestProblemIsOverWithoutMiss(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		s.expect(g, "first", "good", 200, 1)
		var away atomic.Bool
		away.Store(true)
		s.set(func() {
			s.refuse = func(string, http.Header) int { return map[bool]int{true: 503}[away.Load()] }
		})
		s.endStreams("")
		time.Sleep(1500 * time.Millisecond)
		s.expect(g, "away", "good", 503, 1)
		if g.State().Err == nil {
			t.Error("no problem is shown")
		}
		away.Store(false)
		time.Sleep(15 * time.Second)
		s.expect(g, "back", "good", 200, 0)
		if err := g.State().Err; err != nil {
			t.Errorf("the problem is still shown: %v", err)
		}
	})
}

// TestFailedIntrospectionEnds shows that one failure is not shown for ever if no look-up
// misses afterwards, and that failures that go on are.
func TestFailedIntrospectionEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		s.add("good", "", key(1))
		g := s.warm(nil)
		defer g.Close()
		s.expect(g, "first", "good", 200, 1)
		s.set(func() { s.replace = func(w http.ResponseWriter) { w.WriteHeader(503) } })
		for range 5 {
			s.expect(g, "a failure", "other", 503, 1)
			time.Sleep(quiet - time.Second)
			if err := g.State().Err; err == nil || !strings.Contains(err.Error(), "503") {
				t.Errorf("the state while look-ups fail: %v", err)
			}
		}
		time.Sleep(time.Second + moment)
		s.expect(g, "all is cached", "good", 200, 0)
		if err := g.State().Err; err != nil {
			t.Errorf("the state long after a failure: %v", err)
		}
	})
}

// TestSlowServerIsNamed shows that an error says what happened, not how Go calls it.
func TestSlowServerIsNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *fakeServer) {
		g := s.warm(nil)
		defer g.Close()
		s.set(func() { s.before = func(r *http.Request) { <-r.Context().Done() } })
		s.expect(g, "no response", "good", 503, 1)
		if err := g.State().Err; err == nil || err.Error() != "the authorization server did not respond within 2s" {
			t.Errorf("the cause is %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := g.Check(ctx, "good", Need{})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the caller did not wait") || strings.Contains(err.Error(), "deadline") {
			t.Errorf("a caller that left: %v", err)
		}
	})
}
