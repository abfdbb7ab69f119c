package resourceservers

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// gate is what a resource server takes for grantd. It forwards to the real one, and
// can be away.
type gate struct {
	URL     string
	direct  bool // it forwards to the server, not to an edge
	address string
	handler http.Handler
	tls     *tls.Config // nil: it speaks plain HTTP
	server  *http.Server

	asked       atomic.Int64 // how many introspections came
	unavailable atomic.Bool  // it responds as a grantd does that cannot tell
}

// newGate starts a gate. With a certificate it speaks TLS.
func newGate(t testing.TB, base string, certificate *tls.Certificate) *gate {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{address: "127.0.0.1:0", URL: "http://"}
	if certificate != nil {
		g.tls, g.URL = &tls.Config{Certificates: []tls.Certificate{*certificate}}, "https://"
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	g.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/introspect" {
			g.asked.Add(1)
		}
		if g.unavailable.Load() {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":"temporarily_unavailable"}`)
			return
		}
		forward.ServeHTTP(w, r)
	})
	g.open(t)
	t.Cleanup(g.close)
	g.URL += g.address
	return g
}

// open accepts connections, always at the same address.
func (g *gate) open(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	g.address = l.Addr().String()
	if g.tls != nil {
		l = tls.NewListener(l, g.tls)
	}
	g.server = &http.Server{Handler: g.handler, ErrorLog: log.New(io.Discard, "", 0)}
	go func(s *http.Server) { _ = s.Serve(l) }(g.server)
}

// close refuses connections and ends those that are open.
func (g *gate) close() { _ = g.server.Close() }
