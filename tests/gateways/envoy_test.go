package gateways

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/harness"
)

// envoyHTTP does what the documentation of Envoy says that its filter ext_authz does with
// an http_service. It is no Envoy, and reads no file: Debian has no Envoy. Its sources
// are, on envoyproxy.io/docs/envoy/latest:
//   - api-v3/extensions/filters/http/ext_authz/v3/ext_authz.proto: path_prefix, timeout,
//     allowed_headers, what is always sent, allowed_upstream_headers, status_on_error
//   - configuration/http/http_conn_man/headers: x-forwarded-for, use_remote_address
//
// The path is neither normalized nor checked, since all that would show is this code.
type envoyHTTP struct {
	settings Settings
	client   http.Client
	api      *httputil.ReverseProxy
}

// envoy is that stand-in.
var envoy = Gateway{
	Name: "Envoy over HTTP (a stand-in)", Family: gateway.Forwarded,
	Start: func(t testing.TB, s Settings) string {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(&envoyHTTP{
			settings: s, client: http.Client{Timeout: 2 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
			api: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host = "http", s.API
				r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
				r.Out.Header.Set("X-Forwarded-Proto", "https")
			}},
		})
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	},
}

// ServeHTTP chooses the route.
func (e *envoyHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	// use_remote_address appends; the filter's copy then ends with Envoy's address.
	r.Header.Set("X-Forwarded-For", strings.Join(append(r.Header.Values("X-Forwarded-For"), from), ","))
	switch part := strings.SplitN(r.URL.Path, "/", 3)[1]; part {
	case "public":
		e.api.ServeHTTP(w, r)
	case "cards", "accounts":
		if e.ask(w, r, part) {
			e.api.ServeHTTP(w, r)
		}
	default:
		http.NotFound(w, r)
	}
}

// ask reports whether the request passes. If not, it has sent the response.
func (e *envoyHTTP) ask(w http.ResponseWriter, r *http.Request, policy string) bool {
	question, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+e.settings.Grantd+gateway.PathEnvoy+policy+r.RequestURI, http.NoBody)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return false
	}
	question.Host = r.Host
	if lines := r.Header.Values("Authorization"); len(lines) > 0 {
		question.Header.Set("Authorization", strings.Join(lines, ","))
	}
	question.Header.Set("X-Forwarded-For", r.Header.Get("X-Forwarded-For")+",127.0.0.1")
	res, err := e.client.Do(question)
	if err != nil || res.StatusCode >= http.StatusInternalServerError {
		w.WriteHeader(http.StatusServiceUnavailable) // status_on_error
		return false
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.Header()["Www-Authenticate"] = res.Header.Values("WWW-Authenticate")
		w.WriteHeader(res.StatusCode)
		return false
	}
	for name, values := range res.Header {
		if strings.HasPrefix(name, "X-Auth-") {
			r.Header[name] = values
		}
	}
	return true
}

// TestEnvoyStandIn runs the cases about tokens, methods, connections and faults. What is
// asked over gRPC is tested with Envoy's types.
func TestEnvoyStandIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Forwarded)
	for _, d := range w.deciders() {
		t.Run(d.name, func(t *testing.T) {
			c := w.newCases(t, envoy, d)
			for _, r := range slices.Concat(c.tokenRows(), c.restrictedRows(), c.methodRows()) {
				t.Run(r.name, func(t *testing.T) { c.check(t, r) })
			}
			t.Run("connections", c.connections)
			t.Run("revoked", c.revoked)
			for _, mode := range []harness.Mode{harness.Refusing, harness.Resetting} {
				c.link.Set(mode)
				c.check(t, row{name: "grantd " + mode.String(), request: request{token: c.good}, status: 503})
			}
			for _, u := range c.cannot {
				c.lead(u.address)
				c.check(t, row{name: u.why, request: request{token: u.token}, status: 503})
			}
		})
	}
}
