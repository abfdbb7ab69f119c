package edge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes/guard"
	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/capture"
)

// The secrets of the tests.
const (
	ownSecret    = "gs_sandbox_AAAAAAAA_0123456789012345678901234567890123456789012"
	otherSecret  = "gs_sandbox_BBBBBBBB_0123456789012345678901234567890123456789012"
	wrongSecret  = "gs_sandbox_CCCCCCCC_0123456789012345678901234567890123456789012"
	clientSecret = "gs_sandbox_DDDDDDDD_0123456789012345678901234567890123456789012"
)

const activeRaw = `{"active":true,"scope":"users:read","client_id":"shop","token_type":"Bearer","exp":1796045146,"iat":1796041546,"sub":"client:shop","iss":"https://auth.example.com","jti":"j1","token_use":"client"}`

// fakeGuard knows the token "good", and "near" from 203.0.113.7 only.
type fakeGuard struct {
	mu     sync.Mutex
	err    error
	state  guard.State
	known  bool // the registration
	asked  []string
	source netip.Addr
	closed bool
}

func (g *fakeGuard) Introspect(_ context.Context, token string, source netip.Addr) (*guard.Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked, g.source = append(g.asked, token), source
	if g.err != nil {
		return nil, g.err
	}
	if token == "good" || token == "near" && source == netip.MustParseAddr("203.0.113.7") {
		return &guard.Token{Active: true, JTI: "j1", Use: "client", Subject: "client:shop", ClientID: "shop", Scopes: []string{"users:read"}, Raw: []byte(activeRaw)}, nil
	}
	return &guard.Token{Raw: []byte(`{"active":false}`)}, nil
}

func (g *fakeGuard) State() guard.State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state
}

func (g *fakeGuard) Registration() (guard.Registration, bool) { return guard.Registration{}, g.known }

func (g *fakeGuard) Close() error { g.closed = true; return nil }

func (g *fakeGuard) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// fakeServer is the server: it accepts the secrets of live, and issues tokens.
type fakeServer struct {
	*httptest.Server
	mu       sync.Mutex
	live     map[string]bool // secrets
	calls    map[string]int  // by path
	respond  func(w http.ResponseWriter, r *http.Request) bool
	lifetime string
}

func startServer(t testing.TB) *fakeServer {
	t.Helper()
	s := &fakeServer{live: map[string]bool{ownSecret: true, clientSecret: true}, calls: map[string]int{}, lifetime: "3600"}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *fakeServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[r.URL.Path]++
	_, secret, _ := r.BasicAuth()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case s.respond != nil && s.respond(w, r):
	case !s.live[secret]:
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"client authentication failed"}`)
	case r.URL.Path == "/oauth/token":
		_ = r.ParseForm()
		_, _ = io.WriteString(w, `{"access_token":"t`+string(rune('0'+s.calls[r.URL.Path]))+`","token_type":"Bearer","expires_in":`+s.lifetime+`,"scope":"`+r.Form.Get("scope")+`"}`)
	default:
		_, _ = io.WriteString(w, `{"active":false}`)
	}
}

func (s *fakeServer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *fakeServer) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

// rig is an Edge with its surroundings.
type rig struct {
	*Edge
	guard  *fakeGuard
	server *fakeServer
	dir    string
	client *http.Client
	base   string
	logged capture.Buffer
}

func secretIn(t testing.TB, path, secret string) string {
	t.Helper()
	next := path + ".new"
	if err := os.WriteFile(next, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "edge-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func settingsOf(t testing.TB, dir, upstream string) Settings {
	t.Helper()
	return Settings{
		Upstream: upstream, ClientID: "rs", SecretFile: secretIn(t, filepath.Join(dir, "rs"), ownSecret), Listen: "127.0.0.1:0",
		MaxEntries: 100, TokenUses: []string{"client"}, Headers: string(gateway.Forwarded),
		TokenClients: []string{"shop=" + secretIn(t, filepath.Join(dir, "shop"), clientSecret)},
	}
}

// start starts an Edge with settings that edit changes.
func start(t testing.TB, edit func(*Settings)) *rig {
	t.Helper()
	x := &rig{guard: &fakeGuard{state: guard.State{Fresh: true, Registered: true, StreamConnected: true}, known: true}, server: startServer(t), dir: shortDir(t)}
	s := settingsOf(t, x.dir, x.server.URL)
	if edit != nil {
		edit(&s)
	}
	var err error
	x.Edge, err = New(Options{Settings: s, Log: slog.New(slog.NewTextHandler(&x.logged, nil)), Guard: x.guard})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = x.Stop(ctx)
	})
	x.client, x.base = dial(x.URL())
	return x
}

// dial returns a client for the URL of an Edge, and the base of its URLs.
func dial(address string) (*http.Client, string) {
	t := &http.Transport{}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		t.DialContext = unixDialer(path)
		address = "http://edge"
	}
	return &http.Client{Transport: t}, address
}

// result is a response, read.
type result struct {
	status int
	header http.Header
	body   string
}

// send sends a request. Basic credentials are "id:secret"; "": none.
func (x *rig) send(t testing.TB, method, path, basic string, form url.Values, header ...string) result {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, x.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if id, secret, ok := strings.Cut(basic, ":"); ok {
		r.SetBasicAuth(id, secret)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	res, err := x.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return result{res.StatusCode, res.Header, string(b)}
}

var errTest = errors.New("the test says so")
