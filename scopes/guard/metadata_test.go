package guard

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestMetadata(t *testing.T) {
	g := &Guard{cfg: Config{Issuer: "https://auth.example.com", Resource: "https://api.example.com/v1", ScopesSupported: []string{"users:read", "users:write"}}}
	if got := g.MetadataPath(); got != "/.well-known/oauth-protected-resource/v1" {
		t.Errorf("path %s", got)
	}
	for _, row := range []struct {
		method string
		status int
		header string // that the response must have
	}{
		{"GET", 200, "Cache-Control"}, {"HEAD", 200, "Content-Length"}, {"OPTIONS", 204, "Access-Control-Allow-Headers"}, {"POST", 405, "Allow"},
	} {
		w := httptest.NewRecorder()
		g.Metadata().ServeHTTP(w, httptest.NewRequest(row.method, g.MetadataPath(), nil))
		if w.Code != row.status || w.Header().Get(row.header) == "" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", row.method, w.Code, w.Header())
		}
		if row.method == http.MethodGet {
			golden(t, "metadata.json", w.Body.String()+"\n")
		}
	}
}

// Without an identifier there is nothing to describe, and no challenge names it.
func TestNoMetadata(t *testing.T) {
	g := &Guard{cfg: Config{Issuer: "https://auth.example.com"}}
	w := httptest.NewRecorder()
	g.Metadata().ServeHTTP(w, httptest.NewRequest(http.MethodGet, g.MetadataPath(), nil))
	if w.Code != http.StatusNotFound || g.MetadataPath() != "/.well-known/oauth-protected-resource" {
		t.Errorf("status %d at %s", w.Code, g.MetadataPath())
	}
}
