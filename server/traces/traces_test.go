package traces

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/tests/poll"
)

func begin(t *testing.T, tracer *Tracer, p web.Parent) (context.Context, web.Span) {
	t.Helper()
	return tracer.Requests("public")(t.Context(), p)
}

// TestSampling checks that a caller can only have fewer traces recorded.
func TestSampling(t *testing.T) {
	t.Parallel()
	const id, spanID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for name, tc := range map[string]struct {
		oneIn  int
		parent web.Parent
		want   bool
	}{
		"each":                                 {1, web.Parent{}, true},
		"each, the caller records":             {1, web.Parent{TraceID: id, SpanID: spanID, Sampled: true}, true},
		"each, the caller does not":            {1, web.Parent{TraceID: id, SpanID: spanID}, false},
		"one in a million, the caller records": {1_000_000, web.Parent{TraceID: id, SpanID: spanID, Sampled: true}, false},
	} {
		tracer := New(Options{Endpoint: "http://127.0.0.1:1", OneIn: tc.oneIn, Log: slog.New(slog.DiscardHandler), Sent: func(int, error) {}})
		ctx, s := begin(t, tracer, tc.parent)
		if got := s.TraceID() != ""; got != tc.want {
			t.Errorf("%s: recorded %v", name, got)
		}
		if child, err := (operations{tracer.tracer}).Before(ctx, "GetToken"); (child != nil) != tc.want || err != nil {
			t.Errorf("%s: the operation has the span %v, %v", name, child, err)
		}
	}
}

// TestCollectorThatFails checks that nobody waits for a collector, that its failure is
// logged once, and that what comes after it is sent.
func TestCollectorThatFails(t *testing.T) {
	t.Parallel()
	var status, spans, lost atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer collector.Close()
	var log bytes.Buffer
	e := newExporter(Options{Endpoint: collector.URL, Log: slog.New(slog.NewTextHandler(&log, nil)), Sent: func(n int, err error) {
		if err != nil {
			lost.Add(int64(n))
		} else {
			spans.Add(int64(n))
		}
	}})
	for range 3 {
		if err := e.ExportSpans(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "WARN"); n != 1 || !strings.Contains(log.String(), "traces.endpoint") {
		t.Errorf("%d warnings:\n%s", n, &log)
	}
	status.Store(http.StatusOK)
	_ = e.ExportSpans(t.Context(), nil)
	_ = e.ExportSpans(t.Context(), nil)
	if n := strings.Count(log.String(), "INFO"); n != 1 {
		t.Errorf("%d lines that it is over:\n%s", n, &log)
	}
}

// TestQueueIsBounded has a collector that does not respond: spans are dropped, and
// Stop ends.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	var tried atomic.Int64
	tracer := New(Options{Endpoint: "http://127.0.0.1:1", OneIn: 1, Log: slog.New(slog.DiscardHandler), Sent: func(n int, _ error) { tried.Add(int64(n)) },
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			select {
			case <-stuck:
			case <-r.Context().Done():
			}
			return nil, errors.New("stuck")
		})})
	const made = 10 * queued
	for range made {
		_, s := begin(t, tracer, web.Parent{})
		s.End(web.Ended{Method: "GET", Route: "/healthz", Status: 200})
	}
	close(stuck)
	done := make(chan error)
	go func() { done <- tracer.Stop(context.Background()) }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(poll.Patience):
		t.Fatal("Stop does not end")
	}
	if n := tried.Load(); n == 0 || n > 2*queued {
		t.Errorf("%d of %d spans were kept, want at most %d", n, made, 2*queued)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCollectorThatRedirects(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	collector := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer collector.Close()
	e := newExporter(Options{Endpoint: collector.URL, Headers: http.Header{"Authorization": {"Bearer x"}}, Log: slog.New(slog.DiscardHandler), Sent: func(int, error) {}})
	if err := e.send(t.Context(), nil); err == nil || asked.Load() != 0 {
		t.Errorf("%v, and the other server was asked %d times", err, asked.Load())
	}
}

// TestLogHoldsNoURL: the query of the URL may hold the account for the collector.
func TestLogHoldsNoURL(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	var log bytes.Buffer
	var told error
	e := newExporter(Options{Endpoint: gone.URL + "/v1/traces?key=of-the-test", Log: slog.New(slog.NewTextHandler(&log, nil)), Sent: func(_ int, err error) { told = err }})
	if err := e.ExportSpans(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "connection refused") || strings.Contains(log.String(), "of-the-test") || strings.Contains(told.Error(), "of-the-test") {
		t.Errorf("%v\n%s", told, &log)
	}
}

func TestReadHeaders(t *testing.T) {
	t.Parallel()
	h, err := ReadHeaders("Authorization: Bearer a:b\n\nX-Scope-OrgID: 7\r\n")
	if err != nil || h.Get("Authorization") != "Bearer a:b" || h.Get("X-Scope-OrgID") != "7" || len(h) != 2 {
		t.Errorf("%v, %v", h, err)
	}
	for _, bad := range []string{"of-the-test", ": x", "A B: x", "Authorization:", "ok: x\nof-the-test\n", "A: x\x00y"} {
		if _, err := ReadHeaders(bad); err == nil || strings.Contains(err.Error(), "of-the-test") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzReadHeaders(f *testing.F) {
	f.Add("Authorization: Bearer a:b\n\nX-Scope-OrgID: 7\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ReadHeaders(text)
		if err != nil {
			return
		}
		for name, values := range h {
			if name == "" || strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
				t.Errorf("%q: %q %q", text, name, values)
			}
		}
	})
}
