package server

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/apikeys"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/server/logbuf"
	"github.com/grantd/grantd/server/oauth"
	"github.com/grantd/grantd/server/orgs"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// Allocations that one request may make, from the router to the written response.
// Those of net/http do not count.
const (
	issueAllocations      = 23
	introspectAllocations = 5
	infoAllocations       = 4
	keyAllocations        = 7
	decideAllocations     = 7
)

// hotPath is a server whose public handler is called directly, as net/http would,
// with the same request every time.
type hotPath struct {
	server  *Server
	handler http.Handler
}

func newHotPath(t testing.TB, edit func(*config.Config)) *hotPath {
	t.Helper()
	cfg := config.Defaults()
	cfg.Public.Listen, cfg.Metrics.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Admin.Socket = filepath.Join(t.TempDir(), "s")
	cfg.Store.Embedded.Path = t.TempDir()
	cfg.Issuer = "https://auth.example.com"
	cfg.Limits.IssuePerClient.Count = 0 // a benchmark issues more
	edit(&cfg)
	lines := logbuf.New(io.Discard)
	s, err := New(t.Context(), Options{Config: cfg, Log: slog.New(slog.NewJSONHandler(lines, nil)), Lines: lines})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	return &hotPath{s, s.listeners[0].http.Handler}
}

func (h *hotPath) client(t testing.TB, id, scope string) clients.Created {
	t.Helper()
	spec := clients.NewSpec{ClientID: id}
	if err := json.Unmarshal([]byte(`{"client_id":"`+id+`","scope":"`+scope+`"}`), &spec); err != nil {
		t.Fatal(err)
	}
	c, err := h.server.client.Create(t.Context(), audit.Actor{Name: "test"}, spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// discard is a response of which only status and body are kept.
type discard struct {
	header http.Header
	status int
	body   []byte
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { d.body = append(d.body, b...); return len(b), nil }

// body is a request body that can be read repeatedly.
type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

// request returns a function that makes the request once and returns the body of
// the response.
func (h *hotPath) request(t testing.TB, path string, form url.Values) func() []byte {
	t.Helper()
	return h.accepting(t, "", path, form)
}

// accepting is request with a field Accept, unless that is "".
func (h *hotPath) accepting(t testing.TB, accept, path string, form url.Values) func() []byte {
	t.Helper()
	b := body{bytes.NewReader([]byte(form.Encode()))}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, b)
	if err != nil {
		t.Fatal(err)
	}
	req.RemoteAddr = "192.0.2.7:40000"
	req.ContentLength = int64(b.Len())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	w := &discard{header: http.Header{}, status: 0}
	return func() []byte {
		clear(w.header)
		w.status, w.body = 0, w.body[:0]
		_, _ = b.Seek(0, io.SeekStart)
		req.Body = b
		h.handler.ServeHTTP(w, req)
		if w.status != 0 && w.status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.status, w.body)
		}
		return w.body
	}
}

// ask returns a function that makes the GET request with the bearer token once and
// returns the body of the response.
func (h *hotPath) ask(t testing.TB, path, token string) func() []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.RemoteAddr, req.RequestURI = "192.0.2.7:40000", path
	req.Header.Set("Authorization", "Bearer "+token)
	w := &discard{header: http.Header{}, status: 0}
	return func() []byte {
		clear(w.header)
		w.status, w.body = 0, w.body[:0]
		h.handler.ServeHTTP(w, req)
		if w.status != 0 && w.status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.status, w.body)
		}
		return w.body
	}
}

// requests returns the requests that are measured: one that issues a token, one that
// introspects the same token every time, and one with which its holder asks about it.
func (h *hotPath) requests(t testing.TB) (issue, introspect, info func() []byte) {
	t.Helper()
	issue, ask, info := h.asking(t)
	return issue, ask("", nil), info
}

// asking is requests with introspections that have a field Accept and more parameters.
func (h *hotPath) asking(t testing.TB) (issue func() []byte, ask func(accept string, more url.Values) func() []byte, info func() []byte) {
	t.Helper()
	c := h.client(t, "billing", "users:read users:write customers")
	rs := h.client(t, "users-api", "introspect")
	issue = h.request(t, oauth.PathToken, url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "scope": {"users:read"}})
	var token struct {
		Value string `json:"access_token"`
	}
	if err := json.Unmarshal(issue(), &token); err != nil {
		t.Fatal(err)
	}
	info = h.ask(t, oauth.PathTokenInfo, token.Value)
	if !bytes.Contains(info(), []byte(`"application":{"uid":"billing"}`)) {
		t.Fatal("the token is not described")
	}
	return issue, func(accept string, more url.Values) func() []byte {
		form := url.Values{"client_id": {rs.ClientID}, "client_secret": {rs.ClientSecret}, "token": {token.Value}}
		maps.Copy(form, more)
		introspect := h.accepting(t, accept, oauth.PathIntrospect, form)
		if accept == "" && !bytes.Contains(introspect(), []byte(`"active":true`)) {
			t.Fatal("the token is not active")
		}
		return introspect
	}, info
}

// ofKey returns the request that introspects an API key.
func (h *hotPath) ofKey(t testing.TB) func() []byte {
	t.Helper()
	operator := audit.Actor{Name: "test"}
	if _, _, err := h.server.orgs.Put(t.Context(), operator, "acme", 0, orgs.Spec{Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	key, err := h.server.keyRecords.Create(t.Context(), operator, "acme", apikeys.Spec{Owner: "2", Name: "exports", Scope: "customers cards"})
	if err != nil {
		t.Fatal(err)
	}
	rs := h.client(t, "cards-api", `introspect","token_uses":["key"],"name":"`)
	introspect := h.request(t, oauth.PathIntrospect, url.Values{"client_id": {rs.ClientID}, "client_secret": {rs.ClientSecret}, "token": {key.Key}})
	if !bytes.Contains(introspect(), []byte(`"token_use":"key"`)) {
		t.Fatal("the key is not active")
	}
	return introspect
}

// ofGateway returns requests with which a gateway asks about a token that is cached: with
// a query, and as Envoy does.
func (h *hotPath) ofGateway(t testing.TB) (decide, envoy func() []byte) {
	t.Helper()
	c := h.client(t, "caller", "users:read users:write")
	var token struct {
		Value string `json:"access_token"`
	}
	issue := h.request(t, oauth.PathToken, url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}})
	if err := json.Unmarshal(issue(), &token); err != nil {
		t.Fatal(err)
	}
	return h.ask(t, gateway.Path+"?scope=users:read+users:write", token.Value), h.ask(t, gateway.PathEnvoy+"users/users/7?limit=1", token.Value)
}

// atGateway makes the address of the requests that of a gateway.
func atGateway(edit func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		edit(c)
		c.Public.TrustedProxies = []string{"192.0.2.7"}
		c.ForwardAuth.Policies = []config.Policy{{Name: "users", Scope: "users:read users:write"}}
	}
}

func onRedis(t testing.TB) func(*config.Config) {
	addr := redistest.Start(t).Addr
	return func(c *config.Config) {
		c.Store.Backend = "redis"
		c.Store.Redis.Addresses = []string{addr}
	}
}

func onFile(testing.TB) func(*config.Config) { return func(*config.Config) {} }

var stores = map[string]func(testing.TB) func(*config.Config){"redis": onRedis, "embedded": onFile}

func BenchmarkIssue(b *testing.B) {
	for name, on := range stores {
		b.Run(name, func(b *testing.B) {
			issue, _, _ := newHotPath(b, on(b)).requests(b)
			b.ReportAllocs()
			for b.Loop() {
				issue()
			}
		})
	}
}

func BenchmarkIntrospectHot(b *testing.B) {
	_, introspect, _ := newHotPath(b, onRedis(b)).requests(b)
	b.ReportAllocs()
	for b.Loop() {
		introspect()
	}
}

// BenchmarkTokenInfoHot must cost at most 1.1 times BenchmarkIntrospectHot.
func BenchmarkTokenInfoHot(b *testing.B) {
	_, _, info := newHotPath(b, onRedis(b)).requests(b)
	b.ReportAllocs()
	for b.Loop() {
		info()
	}
}

// BenchmarkDecideHot compares what gateways ask with BenchmarkIntrospectHot.
func BenchmarkDecideHot(b *testing.B) {
	decide, envoy := newHotPath(b, atGateway(onRedis(b))).ofGateway(b)
	for name, ask := range map[string]func() []byte{"query": decide, "envoy": envoy} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
		})
	}
}

// BenchmarkIntrospectAs compares what a resource server may ask for.
func BenchmarkIntrospectAs(b *testing.B) {
	const jwt = "application/token-introspection+jwt"
	_, ask, _ := newHotPath(b, onFile(b)).asking(b)
	for _, c := range []struct {
		name, accept string
		more         url.Values
	}{{"json", "", nil}, {"json_preferred", jwt + ";q=0.5, application/json", nil}, {"follow", "", url.Values{"follow": {"true"}}}, {"signed", jwt, nil}} {
		introspect := ask(c.accept, c.more)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = len(introspect())
			}
			b.ReportMetric(float64(n), "bytes")
		})
	}
}

// TestAllocations does not run under the race detector, which makes sync.Pool
// forget on purpose.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Log("counted without the race detector only; make test runs it so too")
		return
	}
	h := newHotPath(t, atGateway(onRedis(t)))
	issue, introspect, info := h.requests(t)
	decide, envoy := h.ofGateway(t)
	for _, c := range []struct {
		what string
		call func() []byte
		most float64
	}{
		{"issue", issue, issueAllocations}, {"hot introspection", introspect, introspectAllocations}, {"hot token info", info, infoAllocations},
		{"introspection of an API key", h.ofKey(t), keyAllocations},
		{"decision for a gateway", decide, decideAllocations}, {"decision for Envoy", envoy, decideAllocations},
	} {
		if n := testing.AllocsPerRun(2000, func() { c.call() }); n > c.most {
			t.Errorf("%s allocates %v times, want at most %v", c.what, n, c.most)
		} else {
			t.Logf("%s: %v allocations", c.what, n)
		}
	}
}
