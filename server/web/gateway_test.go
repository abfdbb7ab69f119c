package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/gin-gonic/gin"
)

// TestIsFrom: only the address of the connection counts.
func TestIsFrom(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for peer, want := range map[string]bool{
		"10.1.2.3:80": true, "[::ffff:10.1.2.3]:80": true, "[2001:db8::1]:80": true, "[2001:db8::1%eth0]:80": true,
		"192.0.2.1:80": false, "[2001:db9::1]:80": false, "@": false, "": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "10.1.2.3")
		if got := IsFrom(r, networks); got != want {
			t.Errorf("%q: %v", peer, got)
		}
		if IsFrom(r, nil) {
			t.Errorf("%q is of no network", peer)
		}
	}
}

// TestRawPaths: encoded slashes are refused everywhere but where handlers read the path
// as it was sent.
func TestRawPaths(t *testing.T) {
	e, err := NewEngine(Options{Log: slog.New(slog.DiscardHandler), Raw: []string{"/raw/"}})
	if err != nil {
		t.Fatal(err)
	}
	e.Any("/raw/*rest", Handle(func(c *gin.Context) error { c.Status(http.StatusOK); return nil }))
	e.GET("/other/:id", Handle(func(c *gin.Context) error { c.Status(http.StatusOK); return nil }))
	for target, want := range map[string]int{
		"/raw/a": 200, "/raw/a%2Fb": 200, "/raw//a/..%2f": 200, "/raw/": 200,
		"/raw%2fa": 404, "/r%61w/a%2fb": 404, "/other/a": 200, "/other/a%2fb": 404, "/other/..%2fraw%2fb": 404,
	} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}
