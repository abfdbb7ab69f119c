package deploy

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/edge"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/harness"
)

// watchedEdge starts an edge of the resource server rs, with a token source for c. It
// returns where Prometheus scrapes it, and what gives it something to count.
func watchedEdge(t *testing.T, s *harness.Server, rs, c clients.Created) (target string, traffic func()) {
	t.Helper()
	dir := t.TempDir()
	own, other := filepath.Join(dir, "own"), filepath.Join(dir, "other")
	write(t, own, rs.ClientSecret)
	write(t, other, c.ClientSecret)
	e, err := edge.New(edge.Options{Log: slog.New(slog.DiscardHandler), Settings: edge.Settings{
		Upstream: s.URL, ClientID: rs.ClientID, SecretFile: own, Listen: "127.0.0.1:0", MaxEntries: edge.DefaultMaxEntries,
		TokenUses: []string{"client"}, TokenClients: []string{c.ClientID + "=" + other}, Headers: string(gateway.Forwarded),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.Stop(ctx)
	})
	beside := &harness.Server{URL: e.URL()}
	return strings.TrimPrefix(e.URL(), "http://"), func() {
		form := url.Values{"token": {s.Token(t, c, "")}}
		for range 2 { // one request to the server, and one use of the cache
			beside.Form(t, "/oauth/introspect", rs.ClientID, rs.ClientSecret, form)
		}
		beside.Form(t, "/oauth/introspect", rs.ClientID, "wrong-secret", form)
		decide(t, e.URL())
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.URL()+edge.PathToken, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(c.ClientID, c.ClientSecret)
		if r := harness.Do(t, http.DefaultClient, req); r.Status != http.StatusOK {
			t.Errorf("%s: %d %s", edge.PathToken, r.Status, r.Body)
		}
	}
}

// decide has the process decide about a call of an API without a token.
func decide(t *testing.T, base string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+gateway.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := harness.Do(t, http.DefaultClient, req); r.Status != http.StatusForbidden && r.Status != http.StatusUnauthorized {
		t.Errorf("%s: %d %s", gateway.Path, r.Status, r.Body)
	}
}
