// Package harness starts grantd for the black-box tests: whole servers in
// this process on port 0, on either store, and requests as raw as a test
// needs them. It knows no rules.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/logbuf"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// Clock is a clock that tests move on.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
}

// Now is the real time and what was added.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// Add moves the clock on.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// Server is a running grantd.
type Server struct {
	*server.Server
	URL   string
	Clock *Clock
	Admin *http.Client // speaks to the admin socket; any host name
	Logs  *Buffer      // everything it logged
}

// Options change how a Server starts.
type Options struct {
	Edit func(*config.Config)
	Use  store.Store // instead of the configured store

	patient bool // Redis may take its time: the test is not about its failures
}

// Buffer is what a server logged. Safe for concurrent use.
type Buffer struct {
	lines *logbuf.Writer
	b     lockedBuffer
}

// String answers everything so far.
func (b *Buffer) String() string {
	b.lines.Flush()
	b.b.mu.Lock()
	defer b.b.mu.Unlock()
	return b.b.Buffer.String()
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// Start starts a server on the embedded store in a temporary folder, and
// stops it with the test.
func Start(t testing.TB, options ...Options) *Server {
	t.Helper()
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	dir, err := os.MkdirTemp("", "grantd-test-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cfg := config.Defaults()
	cfg.Public.Listen = "127.0.0.1:0"
	cfg.Metrics.Listen = ""
	// Tests fail on purpose, all from one address; those of the limits set them.
	cfg.Limits.AuthFailuresPerClientAndAddress.Count = 0
	cfg.Limits.AuthFailuresPerAddress.Count = 0
	cfg.Admin.Socket = filepath.Join(dir, "admin.sock")
	cfg.Store.Embedded.Path = filepath.Join(dir, "data")
	if o.Edit != nil {
		o.Edit(&cfg)
	}
	s := &Server{Clock: &Clock{}, Logs: &Buffer{}}
	s.Logs.lines = logbuf.New(&s.Logs.b)
	log := slog.New(slog.NewJSONHandler(s.Logs.lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.patient {
		o.Use = patientRedis(t, cfg, s.Clock.Now)
	}
	s.Server, err = server.New(t.Context(), server.Options{Config: cfg, Log: log, Lines: s.Logs.lines, Now: s.Clock.Now, Store: o.Use})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.URL = s.PublicURL()
	s.Admin = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", cfg.Admin.Socket)
	}}}
	return s
}

// Close stops the server; Start does it with the test.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.Stop(ctx)
}

// OnRedis is the edit that puts a server on the Redis at addr.
func OnRedis(addr string) func(*config.Config) {
	return func(c *config.Config) {
		c.Store.Backend = "redis"
		c.Store.Redis.Addresses = []string{addr}
	}
}

// EachStore runs the test on the embedded store and on a fresh Redis.
func EachStore(t *testing.T, test func(t *testing.T, start func(...Options) *Server)) {
	t.Run("embedded", func(t *testing.T) {
		test(t, func(o ...Options) *Server { return Start(t, o...) })
	})
	t.Run("redis", func(t *testing.T) {
		addr := redistest.Start(t).Addr
		test(t, func(options ...Options) *Server {
			var o Options
			if len(options) > 0 {
				o = options[0]
			}
			edit := o.Edit
			o.Edit = func(c *config.Config) {
				OnRedis(addr)(c)
				c.Cache.MaxStaleness = 500 * time.Millisecond // admin calls wait for it
				if edit != nil {
					edit(c)
				}
			}
			o.patient = o.Use == nil
			return Start(t, o)
		})
	})
}

// NewClient makes a client with the scope string and whatever edit adds.
func (s *Server) NewClient(t testing.TB, id, scope string, edit ...func(*clients.NewSpec)) clients.Created {
	t.Helper()
	spec := clients.NewSpec{ClientID: id, Spec: clients.Spec{Scope: &scope}}
	for _, e := range edit {
		e(&spec)
	}
	c, err := s.Clients().Create(t.Context(), audit.Actor{Name: "test"}, spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Response is a response, read whole.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// JSON answers the body as an object; a body that is none fails the test.
func (r Response) JSON(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.Body), &m); err != nil {
		t.Fatalf("body is not a JSON object: %q", r.Body)
	}
	return m
}

// Do sends the request without following redirects.
func Do(t testing.TB, c *http.Client, req *http.Request) Response {
	t.Helper()
	if c == nil {
		c = http.DefaultClient
	}
	once := *c
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := once.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Response{res.StatusCode, res.Header, string(b)}
}

// Form posts a form with HTTP Basic credentials; an empty id sends none.
func (s *Server) Form(t testing.TB, path, id, secret string, form url.Values) Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	return Do(t, nil, req)
}

// Token gets a token for the client; scope "" is its default.
func (s *Server) Token(t testing.TB, c clients.Created, scope string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope != "" {
		form.Set("scope", scope)
	}
	r := s.Form(t, "/oauth/token", c.ClientID, c.ClientSecret, form)
	if r.Status != http.StatusOK {
		t.Fatalf("token: %d %s", r.Status, r.Body)
	}
	return r.JSON(t)["access_token"].(string)
}

// Introspect asks, as the resource server rs, about the token.
func (s *Server) Introspect(t testing.TB, rs clients.Created, token string) Response {
	t.Helper()
	return s.Form(t, "/oauth/introspect", rs.ClientID, rs.ClientSecret, url.Values{"token": {token}})
}

// AdminDo sends a request to the admin API; body nil sends none.
func (s *Server) AdminDo(t testing.TB, method, path string, body any) Response {
	t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://grantd/admin/v1"+path, r)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return Do(t, s.Admin, req)
}
