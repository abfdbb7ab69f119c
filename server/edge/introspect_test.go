package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
)

func unixDialer(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

const introspection = "/oauth/introspect"

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

// TestIntrospect: each promise of the endpoint, and each rejection, is a row.
func TestIntrospect(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	own := "rs:" + ownSecret
	for _, tc := range []struct {
		name, basic string
		form        url.Values
		status      int
		want        string // part of the body
	}{
		{"active", own, form("token", "good"), 200, activeRaw},
		{"hint is ignored", own, form("token", "good", "token_type_hint", "refresh_token"), 200, activeRaw},
		{"unknown parameters are ignored", own, form("token", "good", "x", "1", "x", "2"), 200, activeRaw},
		{"in the body", "", form("token", "good", "client_id", "rs", "client_secret", ownSecret), 200, activeRaw},
		{"with the id in both", own, form("token", "good", "client_id", "rs"), 200, activeRaw},
		{"inactive", own, form("token", "made-up"), 200, `{"active":false}`},
		{"from its address", own, form("token", "near", "source_ip", "::ffff:203.0.113.7"), 200, activeRaw},
		{"from another address", own, form("token", "near", "source_ip", "203.0.113.8"), 200, `{"active":false}`},
		{"no token", own, form("token", ""), 400, "token is missing"},
		{"two tokens", own, form("token", "good", "token", "good"), 400, "a parameter is repeated"},
		{"not an address", own, form("token", "good", "source_ip", "here"), 400, "source_ip is not an IP address"},
		{"follow", own, form("token", "good", "follow", "true"), 400, "follow is for the server"},
		{"follow with another value", own, form("token", "good", "follow", "1"), 400, "follow has one value"},
		{"no credentials", "", form("token", "good"), 401, "invalid_client"},
		{"id alone", "", form("token", "good", "client_id", "rs"), 401, "invalid_client"},
		{"wrong secret", "rs:" + wrongSecret, form("token", "good"), 401, "invalid_client"},
		{"another client", "shop:" + clientSecret, form("token", "good"), 401, "invalid_client"},
		{"empty secret", "rs:", form("token", "good"), 401, "invalid_client"},
		{"two methods", own, form("token", "good", "client_secret", ownSecret), 400, "more than one client authentication method"},
		{"ids differ", own, form("token", "good", "client_id", "shop"), 400, "client_id in the body"},
		{"assertion", "", form("token", "good", "client_assertion", "x", "client_assertion_type", "y"), 401, "not supported"},
	} {
		r := x.send(t, "POST", introspection, tc.basic, tc.form)
		if r.status != tc.status || !strings.Contains(r.body, tc.want) || tc.status == 200 && r.body != tc.want {
			t.Errorf("%s: %d %s, want %d %s", tc.name, r.status, r.body, tc.status, tc.want)
		}
		if (r.header.Get("WWW-Authenticate") != "") != (r.status == 401) || r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", tc.name, r.header)
		}
	}
	for _, tc := range []struct {
		name, method, path string
		header             []string
		status             int
	}{
		{"GET", "GET", introspection, nil, 405},
		{"token in the URL", "POST", introspection + "?token=good", nil, 400},
		{"JSON", "POST", introspection, []string{"Content-Type: application/json"}, 400},
		{"no media type", "POST", introspection, nil, 400},
		{"bearer", "POST", introspection, []string{"Content-Type: application/x-www-form-urlencoded", "Authorization: Bearer x"}, 400},
		{"unknown path", "GET", "/oauth/other", nil, 404},
	} {
		if r := x.send(t, tc.method, tc.path, "", nil, tc.header...); r.status != tc.status {
			t.Errorf("%s: %d %s, want %d", tc.name, r.status, r.body, tc.status)
		}
	}
	if r := x.send(t, "POST", introspection, "", form("token", "good"), "Authorization: Bearer abc"); r.status != 401 || !strings.Contains(r.body, "not supported") {
		t.Errorf("bearer: %d %s", r.status, r.body)
	}
	if r := x.send(t, "POST", introspection, own, form("token", "good"), "Accept: application/token-introspection+jwt"); r.body != activeRaw || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("signed: %d %s", r.status, r.body)
	}
}

// TestNeverAGuess: if the guard cannot tell, nobody is told that a token is inactive.
func TestNeverAGuess(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	for name, err := range map[string]error{"3": &guard.Refusal{Status: 503, Code: guard.CodeUnavailable, RetryAfter: 2500 * time.Millisecond}, "1": errTest} {
		x.guard.set(func() { x.guard.err = err })
		r := x.send(t, "POST", introspection, "rs:"+ownSecret, form("token", "good"))
		if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") != name || strings.Contains(r.body, "active") {
			t.Errorf("%v: %d %v %s", err, r.status, r.header, r.body)
		}
		if r := x.send(t, "GET", "/forward-auth", "", nil, "Authorization: Bearer good"); r.status != http.StatusServiceUnavailable {
			t.Errorf("%v: forward-auth %d", err, r.status)
		}
	}
}

func TestForwardAuth(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	for _, tc := range []struct {
		name, query string
		header      []string
		status      int
	}{
		{"good", "?scope=users:read", []string{"Authorization: Bearer good", "X-Forwarded-For: 203.0.113.7"}, 200},
		{"no token", "?scope=users:read", nil, 401},
		{"inactive", "", []string{"Authorization: Bearer bad"}, 401},
		{"scope", "?scope=cards", []string{"Authorization: Bearer good"}, 403},
		{"not registered for them", "?token_use=customer", []string{"Authorization: Bearer good"}, 403},
	} {
		if r := x.send(t, "GET", "/forward-auth"+tc.query, "", nil, tc.header...); r.status != tc.status {
			t.Errorf("%s: %d %s, want %d", tc.name, r.status, r.body, tc.status)
		}
	}
	if r := x.send(t, "POST", "/forward-auth", "", form("a", "b"), "Authorization: Bearer near", "X-Forwarded-For: 203.0.113.7"); r.status != 200 || x.guard.source != netip.MustParseAddr("203.0.113.7") {
		t.Errorf("the address is not passed on: %d %v", r.status, x.guard.source)
	}
}

// TestReady: /readyz names why tokens cannot be judged, or only by asking the server.
func TestReady(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	for _, tc := range []struct {
		name   string
		state  guard.State
		known  bool
		status int
		want   string
	}{
		{"ready", guard.State{Fresh: true, Registered: true}, true, 200, `"ready"`},
		{"stale", guard.State{Registered: true}, true, 200, `"status":"ready","warnings":[{"cause":"stream_not_fresh"`},
		{"stale, and no server", guard.State{Registered: true, StreamConnected: true}, true, 503, "tokens_not_judged"},
		{"never reached", guard.State{}, false, 503, "server_not_reached"},
		{"refused", guard.State{Err: errTest}, false, 503, "server_not_reached"},
		{"registration", guard.State{Fresh: true, Err: errTest}, true, 503, "registration_differs"},
	} {
		x.guard.set(func() {
			x.guard.state, x.guard.known, x.guard.err = tc.state, tc.known, nil
			if tc.status == 503 {
				x.guard.err = errTest
			}
		})
		if r := x.send(t, "GET", "/readyz", "", nil); r.status != tc.status || !strings.Contains(r.body, tc.want) || (r.header.Get("Retry-After") != "") != (r.status == 503) {
			t.Errorf("%s: %d %s, want %d %s", tc.name, r.status, r.body, tc.status, tc.want)
		}
		if r := x.send(t, "GET", "/healthz", "", nil); r.status != 200 {
			t.Errorf("%s: healthz %d", tc.name, r.status)
		}
	}
	if r := x.send(t, "GET", "/metrics", "", nil); r.status != 200 || !strings.Contains(r.body, "grantd_edge_ready 0") || !strings.Contains(r.body, `grantd_edge_http_requests_total{code="503",route="/readyz"} 4`) {
		t.Errorf("metrics: %d %s", r.status, r.body)
	}
	if err := x.Stop(t.Context()); err != nil || !x.guard.closed {
		t.Errorf("stop: %v", err)
	}
}

// TestMetricsListener: it has the metrics and the probes, and nothing of what callers
// use, whatever credentials come with it.
func TestMetricsListener(t *testing.T) {
	t.Parallel()
	x := start(t, func(s *Settings) { s.MetricsListen = "127.0.0.1:0" })
	x.client, x.base = dial(x.MetricsURL())
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		for _, method := range []string{"GET", "HEAD"} {
			if r := x.send(t, method, path, "", nil); r.status != 200 {
				t.Errorf("%s %s: %d %s", method, path, r.status, r.body)
			}
		}
		if r := x.send(t, "POST", path, "", nil); r.status != 405 {
			t.Errorf("POST %s: %d", path, r.status)
		}
	}
	for _, tc := range []struct{ method, path, basic, header string }{
		{"POST", introspection, "rs:" + ownSecret, "X: y"},
		{"GET", "/token?scope=users:read", "shop:" + clientSecret, "X: y"},
		{"GET", "/forward-auth", "", "Authorization: Bearer good"},
		{"PROPFIND", "/forward-auth", "", "Authorization: Bearer good"},
		{"GET", "/debug/pprof/", "", "X: y"},
		{"GET", "/", "", "X: y"},
		{"GET", "/%2e%2e/token", "shop:" + clientSecret, "X: y"},
		{"GET", "//token", "shop:" + clientSecret, "X: y"},
	} {
		if r := x.send(t, tc.method, tc.path, tc.basic, nil, tc.header); r.status != 404 {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, r.status, r.body)
		}
	}
	if len(x.guard.asked) != 0 || x.server.count("/oauth/token") != 0 {
		t.Errorf("tokens were judged or requested: %v", x.guard.asked)
	}
	var h2 http.Protocols
	h2.SetUnencryptedHTTP2(true)
	res, err := (&http.Client{Transport: &http.Transport{Protocols: &h2}}).Get(x.base + "/metrics")
	if err == nil {
		defer res.Body.Close()
		t.Errorf("HTTP/2 is for gateways only: %s", res.Proto)
	}
	if err := x.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if res, err := x.client.Get(x.base + "/metrics"); err == nil {
		defer res.Body.Close()
		t.Error("it still listens")
	}
}

// TestSocket: on the socket no credentials are needed, and wrong ones are refused.
func TestSocket(t *testing.T) {
	t.Parallel()
	x := start(t, func(s *Settings) { s.Listen = "unix:" + filepath.Join(filepath.Dir(s.SecretFile), "edge.sock") })
	for _, tc := range []struct {
		name, basic string
		form        url.Values
		status      int
	}{
		{"nothing", "", form("token", "good"), 200},
		{"right", "rs:" + ownSecret, form("token", "good"), 200},
		{"wrong", "rs:" + wrongSecret, form("token", "good"), 401},
		{"another id", "shop:" + clientSecret, form("token", "good"), 401},
		{"id alone", "", form("token", "good", "client_id", "rs"), 401},
	} {
		if r := x.send(t, "POST", introspection, tc.basic, tc.form); r.status != tc.status {
			t.Errorf("%s: %d %s, want %d", tc.name, r.status, r.body, tc.status)
		}
	}
	if r := x.send(t, "GET", "/token?scope=users:read", "", nil); r.status != 200 || !strings.Contains(r.body, `"access_token":"t`) {
		t.Errorf("token: %d %s", r.status, r.body)
	}
	if r := x.send(t, "GET", "/token", "shop:"+wrongSecret, nil); r.status != 401 {
		t.Errorf("token with a wrong secret: %d", r.status)
	}
}

// TestRotation: while an operator replaces the secret, callers may have either one, and
// one that has ended is refused a second later.
func TestRotation(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	ask := func(secret string) int {
		return x.send(t, "POST", introspection, "rs:"+secret, form("token", "good")).status
	}
	x.server.set(func() { x.server.live[otherSecret] = true })
	for range 20 { // one check serves them for a second
		if got := ask(otherSecret); got != 200 {
			t.Fatalf("the new secret before the file has it: %d", got)
		}
	}
	if n := x.server.count(introspection); n < 1 || n > 10 {
		t.Errorf("%d checks for 20 requests", n)
	}
	secretIn(t, x.self.path, otherSecret)
	x.self.refresh()
	before := x.server.count(introspection)
	if got := ask(otherSecret); got != 200 || x.server.count(introspection) != before {
		t.Errorf("the new secret: %d", got)
	}
	if got := ask(ownSecret); got != 200 || x.server.count(introspection) != before+1 {
		t.Errorf("the old secret, which the server still accepts: %d", got)
	}
	x.server.set(func() { delete(x.server.live, ownSecret) })
	for give := time.Now().Add(10 * time.Second); ask(ownSecret) != 401; {
		if time.Now().After(give) {
			t.Fatal("the old secret works on")
		}
	}
	x.server.set(func() {
		x.server.respond = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true }
	})
	if got := ask(wrongSecret); got != 503 && got != 429 {
		t.Errorf("a secret that cannot be checked: %d", got)
	}
}

// TestOmitTokenUse: the response lacks token_use and nothing else.
func TestOmitTokenUse(t *testing.T) {
	t.Parallel()
	x := start(t, func(s *Settings) { s.OmitTokenUse = true })
	var want, got map[string]any
	if err := json.Unmarshal([]byte(activeRaw), &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "token_use")
	r := x.send(t, "POST", introspection, "rs:"+ownSecret, form("token", "good"))
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != 200 || !maps.Equal(got, want) {
		t.Errorf("%d %s: %v", r.status, r.body, err)
	}
	if r := x.send(t, "POST", introspection, "rs:"+ownSecret, form("token", "made-up")); r.body != `{"active":false}` {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestLogIsShort: an outage leaves a line and a count, though each cause names another
// port, and what succeeds leaves nothing.
func TestLogIsShort(t *testing.T) {
	t.Parallel()
	x := start(t, nil)
	const times = 20
	ask := func(status int) {
		t.Helper()
		if r := x.send(t, "POST", introspection, "rs:"+ownSecret, form("token", "good")); r.status != status {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	for i := range times {
		ask(200)
		x.guard.set(func() { x.guard.err = fmt.Errorf("read tcp 127.0.0.1:%d: connection reset by peer", 50_000+i) })
		ask(503)
		x.guard.set(func() { x.guard.err = nil })
	}
	if err := x.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := x.logged.String()
	if n := strings.Count(text, "msg=request "); n != 1 || strings.Count(text, "status=503") != 1 || !strings.Contains(text, "connection reset") || !strings.Contains(text, fmt.Sprintf("more=%d", times-1)) {
		t.Errorf("%d lines:\n%s", n, text)
	}
}
