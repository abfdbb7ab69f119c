package guard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The guard says private only if nobody says anything else.
func TestCacheControl(t *testing.T) {
	s := startServer(tokens)
	defer s.Close()
	h := fullGuard(t, s).Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if value := r.URL.Query().Get("handler"); value != "" {
			w.Header().Set("Cache-Control", value)
		}
	}))
	for _, row := range []struct{ before, handler, want string }{
		{"", "", "private"}, {"", "no-store", "no-store"}, {"no-store", "", "no-store"}, {"no-store", "public", "public"},
	} {
		w, r := httptest.NewRecorder(), withToken("client")
		if row.before != "" {
			w.Header().Set("Cache-Control", row.before)
		}
		r.URL.RawQuery = "handler=" + row.handler
		h.ServeHTTP(w, r)
		if got := w.Header().Values("Cache-Control"); len(got) != 1 || got[0] != row.want {
			t.Errorf("%+v: Cache-Control %q", row, got)
		}
	}
}

// A preflight has no token: middleware for CORS goes outside of the guard.
func TestCORS(t *testing.T) {
	s := startServer(tokens)
	defer s.Close()
	guarded := fullGuard(t, s).Require("users:read")(hello)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://app.example.com")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.Header().Set("Access-Control-Allow-Headers", "Authorization")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		guarded.ServeHTTP(w, r)
	})
	preflight := httptest.NewRequest(http.MethodOptions, "/users", nil)
	preflight.Header.Set("Access-Control-Request-Method", "GET")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, preflight)
	if w.Code != http.StatusNoContent {
		t.Errorf("preflight: %d", w.Code)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/users", nil))
	if w.Code != http.StatusUnauthorized || w.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a page cannot read the refusal: %d %v", w.Code, w.Header())
	}
}
