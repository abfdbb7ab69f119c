package edge

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/server/logbuf"
)

// TestLogIsShort: calls of a healthy API write nothing to the log at info, and an outage
// writes one line for each route and cause.
func TestLogIsShort(t *testing.T) {
	var b strings.Builder
	lines := logbuf.New(&b)
	dir, server := shortDir(t), startServer(t)
	g := &fakeGuard{state: guard.State{Fresh: true, Registered: true}, known: true}
	e, err := New(Options{Settings: settingsOf(t, dir, server.URL), Log: slog.New(slog.NewJSONHandler(lines, nil)), Lines: lines, Guard: g})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := &rig{Edge: e, guard: g, server: server, dir: dir}
	x.client, x.base = dial(e.URL())
	ask := func(want int) {
		t.Helper()
		for range 20 {
			if r := x.send(t, http.MethodPost, "/oauth/introspect", "rs:"+ownSecret, url.Values{"token": {"good"}}); r.status != want {
				t.Fatalf("introspection: %d, want %d", r.status, want)
			}
			if r := x.send(t, http.MethodGet, "/forward-auth", "", nil, "Authorization: Bearer good"); r.status != want {
				t.Fatalf("forward-auth: %d, want %d", r.status, want)
			}
		}
	}
	ask(http.StatusOK)
	g.set(func() { g.err = errors.New("the server is away") })
	ask(http.StatusServiceUnavailable)
	if err := e.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines.Flush()
	log := b.String()
	if strings.Contains(log, `"status":200`) || strings.Count(log, `"status":503`) != 2 || !strings.Contains(log, "the server is away") {
		t.Errorf("%s", log)
	}
}
