package guard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

// followedGuard returns a guard that has the token "client" in its cache.
func followedGuard(t testing.TB) *guard.Guard {
	t.Helper()
	follows := `,"scope":"users:read users:write","iss":"https://auth.example.com","client_id":"shop","void_keys":["AAAAAAAAAAA","BBBBBBBBBBA"],"feed_position":"` + position + `","feed_age_ms":0`
	s := startFollowed(map[string]string{"client": active("client", follows)}, `"client_id":"cards","token_uses":["client"],"enforces":[],"resource":""`)
	g := newGuard(t, s, func(c *guard.Config) { c.NoStream, c.ClientIP = false, nil })
	t.Cleanup(s.CloseClientConnections)
	h := g.Require("users:read")(hello)
	for end := time.Now().Add(30 * time.Second); g.State().Hits == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the token is not cached: %+v", g.State())
		}
		h.ServeHTTP(httptest.NewRecorder(), withToken("client"))
	}
	return g
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// TestAllocations: what a guarded request allocates besides what its handler does. The
// token comes from the cache; its context and the copy of the request are the rest.
func TestAllocations(t *testing.T) {
	h := followedGuard(t).Require("users:read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, r := discard{http.Header{}}, withToken("client")
	if got := testing.AllocsPerRun(200, func() { h.ServeHTTP(w, r) }); got > 2 {
		t.Errorf("%v allocations, at most 2", got)
	}
}

func BenchmarkRequire(b *testing.B) {
	h := followedGuard(b).Require("users:read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, r := discard{http.Header{}}, withToken("client")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

func BenchmarkRefuse(b *testing.B) {
	h := followedGuard(b).Require("users:read")(hello)
	w, r := discard{http.Header{}}, httptest.NewRequest(http.MethodGet, "/users", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
