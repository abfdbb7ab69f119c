package guard_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/grantd/grantd/scopes/guard"
)

// The path that counts is what the caller sent, not what is left of it.
func TestPath(t *testing.T) {
	s := startServer(tokens)
	defer s.Close()
	h := fullGuard(t, s).RequireUse([]string{guard.UseOnBehalf})(hello)
	for _, row := range []struct {
		rule, uri string
		status    int
		change    func(*http.Request)
	}{
		{"as it came", "/users/7", 200, nil},
		{"with a host", "http://api.example.com/users/7?a=1", 200, nil},
		{"with a host, another path", "http://api.example.com/cards", 403, nil},
		{"a prefix was removed", "/api/users", 403, func(r *http.Request) { r.URL.Path = "/users" }},
		{"a prefix was removed from a URL", "http://api.example.com/api/users", 403, func(r *http.Request) { r.URL.Path = "/users" }},
		{"a prefix was added to a URL", "http://api.example.com/users", 200, func(r *http.Request) { r.URL.Path = "/api/users" }},
		{"a URL without a path", "http://api.example.com", 403, func(r *http.Request) { r.URL.Path = "/users" }},
		{"no path", "*", 403, func(r *http.Request) { r.URL.Path = "/users" }},
		{"only a host", "api.example.com:443", 403, func(r *http.Request) { r.URL.Path = "/users" }},
		{"not a URL", "http://%zz/users", 403, func(r *http.Request) { r.URL.Path = "/users" }},
		{"a prefix was added", "/users", 200, func(r *http.Request) { r.URL.Path = "/api/users" }},
		{"the request came from no server", "/users", 200, func(r *http.Request) { r.RequestURI = "" }},
		{"no server, another path", "/cards", 403, func(r *http.Request) { r.RequestURI = "" }},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if u, err := url.Parse(row.uri); err == nil {
			r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
		}
		r.RequestURI = row.uri
		r.Header.Set("Authorization", "Bearer partner")
		if row.change != nil {
			row.change(r)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != row.status {
			t.Errorf("%s: %d, want %d: %s", row.rule, w.Code, row.status, w.Body)
		}
	}
}

// A guard that does not compare addresses sends them, so that the server does. It
// looks at them all the same.
func TestSourceIsSent(t *testing.T) {
	s := startServer(tokens)
	defer s.Close()
	h := newGuard(t, s, nil).Require()(hello)
	for token, status := range map[string]int{"client": 200, "faraway": 403} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, withToken(token))
		if got := s.source.Load(); w.Code != status || got != "192.0.2.1" { // of httptest
			t.Errorf("%s: status %d, source_ip %v", token, w.Code, got)
		}
	}
}
