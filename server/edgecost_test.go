package server

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grantd/grantd/server/edge"
	"github.com/grantd/grantd/server/logbuf"
	"github.com/grantd/grantd/server/oauth"
)

// newEdge returns two requests that introspect one token without the network: at the
// server, and at a 'grantd edge' beside it, which has the token in its cache.
func newEdge(t testing.TB) (atServer, atEdge func() []byte) {
	t.Helper()
	h := newHotPath(t, onFile(t))
	shop, rs := h.client(t, "billing", "users:read users:write customers"), h.client(t, "users-api", "introspect")
	var token struct {
		Value string `json:"access_token"`
	}
	issue := h.request(t, oauth.PathToken, url.Values{"grant_type": {"client_credentials"}, "client_id": {shop.ClientID}, "client_secret": {shop.ClientSecret}})
	if err := json.Unmarshal(issue(), &token); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(rs.ClientSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := logbuf.New(io.Discard)
	e, err := edge.New(edge.Options{Log: slog.New(slog.NewJSONHandler(lines, nil)), Lines: lines, Settings: edge.Settings{
		Upstream: h.server.PublicURL(), Issuer: h.server.issuer, ClientID: rs.ClientID, SecretFile: file, Listen: "127.0.0.1:0",
		MaxEntries: 1000, TokenUses: []string{"client"}, Headers: "forwarded",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Stop(t.Context()) })
	at := &hotPath{h.server, e.Handler()}
	form := url.Values{"client_id": {rs.ClientID}, "client_secret": {rs.ClientSecret}, "token": {token.Value}}
	atServer, atEdge = h.request(t, oauth.PathIntrospect, form), at.request(t, oauth.PathIntrospect, form)
	for _, ask := range []func() []byte{atServer, atEdge} {
		if got := ask(); !bytes.Contains(got, []byte(`"active":true`)) {
			t.Fatalf("%s", got)
		}
	}
	// At first nothing is cached: the stream of revocations has only just begun.
	const withoutACall = 100 // allocations
	for give := time.Now().Add(20 * time.Second); testing.AllocsPerRun(1, func() { atEdge() }) > withoutACall; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(give) {
			t.Fatal("the edge does not cache the token")
		}
	}
	return atServer, atEdge
}

// TestEdgeAllocations: a cached introspection at 'grantd edge' allocates no more than
// one at the server.
func TestEdgeAllocations(t *testing.T) {
	atServer, atEdge := newEdge(t)
	server, edge := testing.AllocsPerRun(500, func() { atServer() }), testing.AllocsPerRun(500, func() { atEdge() })
	t.Logf("server %v, edge %v", server, edge)
	if !raceDetector && (edge > introspectAllocations || edge > server) {
		t.Errorf("edge %v allocations, want at most %d and at most the %v of the server", edge, introspectAllocations, server)
	}
}

// BenchmarkIntrospectEdge compares a cached introspection at the server and at an edge.
// They take turns, so that what else the machine does slows both.
func BenchmarkIntrospectEdge(b *testing.B) {
	const turn = 100
	atServer, atEdge := newEdge(b)
	var server, edge time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		for range turn {
			atServer()
		}
		half := time.Now()
		for range turn {
			atEdge()
		}
		server, edge = server+half.Sub(begun), edge+time.Since(half)
	}
	b.ReportMetric(float64(server.Nanoseconds())/float64(b.N*turn), "ns/server")
	b.ReportMetric(float64(edge.Nanoseconds())/float64(b.N*turn), "ns/edge")
	b.ReportMetric(float64(edge)/float64(server), "edge/server")
}
