// Package harness starts whole servers for the black-box tests, in this process,
// on port 0 and on either store, and sends requests to them. It checks no rules.
package harness

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/logbuf"
	"github.com/grantd/grantd/server/orgs"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/capture"
)

// Clock is a clock that tests move forward.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
}

// Now returns the real time plus what was added.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// Add moves the clock forward.
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
	Admin *http.Client // calls the admin socket, with any host name
	Logs  *Buffer      // everything that the server logged
}

// Options change how a Server starts.
type Options struct {
	Edit func(*config.Config)
	Use  store.Store // instead of the configured store
	// Ahead is how far the server's clock is ahead when it starts.
	Ahead time.Duration

	patient bool // Redis may be slow: the test is not about its failures
}

// Buffer is what a server logged. It is safe for concurrent use.
type Buffer struct {
	lines *logbuf.Writer
	b     capture.Buffer
}

// String returns everything so far.
func (b *Buffer) String() string {
	b.lines.Flush()
	return b.b.String()
}

// Start starts a server on the embedded store in a temporary folder, and
// stops it when the test ends.
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
	// Tests fail authentication on purpose, all from one address, and issue and
	// revoke as fast as they can. Tests of the limits set them again.
	cfg.Limits.AuthFailuresPerClientAndAddress.Count = 0
	cfg.Limits.AuthFailuresPerAddress.Count = 0
	cfg.Limits.AuthFailuresPerClient.Count = 0
	cfg.Limits.IssuePerClient.Count = 0
	cfg.Limits.RevocationsPerClient.Count = 0
	cfg.Admin.Socket = filepath.Join(dir, "admin.sock")
	cfg.Store.Embedded.Path = filepath.Join(dir, "data")
	if o.Edit != nil {
		o.Edit(&cfg)
	}
	s := &Server{Clock: &Clock{offset: o.Ahead}, Logs: &Buffer{}}
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

// Close stops the server. Start calls it when the test ends.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = s.Stop(ctx)
}

// OnRedis returns the edit that makes a server use the Redis at addr.
func OnRedis(addr string) func(*config.Config) {
	return func(c *config.Config) {
		c.Store.Backend = "redis"
		c.Store.Redis.Addresses = []string{addr}
	}
}

// QuickStaleness is cache.max_staleness for tests that are not about it: each
// change of a client waits that long on Redis. Configuration files cannot go
// so low.
const QuickStaleness = 200 * time.Millisecond

// EachStore runs the test on the embedded store and on a fresh Redis. Both
// runs are parallel to each other and to other tests: a change on Redis waits
// for cache.max_staleness, which takes time but no processor.
func EachStore(t *testing.T, test func(t *testing.T, start func(...Options) *Server)) {
	t.Parallel()
	eachStore(t, func(t *testing.T, start func(...Options) *Server) {
		t.Parallel()
		test(t, start)
	})
}

// EachStoreInTurn is EachStore for tests that measure time: nothing else runs at
// the same time.
func EachStoreInTurn(t *testing.T, test func(t *testing.T, start func(...Options) *Server)) {
	eachStore(t, test)
}

func eachStore(t *testing.T, test func(t *testing.T, start func(...Options) *Server)) {
	t.Run("embedded", func(t *testing.T) {
		test(t, func(o ...Options) *Server { return Start(t, o...) })
	})
	t.Run("redis", func(t *testing.T) {
		test(t, onFreshRedis(t))
	})
}

// onFreshRedis returns a function that starts servers on a Redis of the test;
// the Redis starts with the first of them.
func onFreshRedis(t *testing.T) func(...Options) *Server {
	redis := sync.OnceValue(func() string { return redistest.Start(t).Addr })
	return func(options ...Options) *Server {
		var o Options
		if len(options) > 0 {
			o = options[0]
		}
		edit := o.Edit
		o.Edit = func(c *config.Config) {
			OnRedis(redis())(c)
			c.Cache.MaxStaleness = QuickStaleness
			if edit != nil {
				edit(c)
			}
		}
		o.patient = o.Use == nil
		return Start(t, o)
	}
}

// NewClient creates a client with the scope and with what edit sets. It creates
// the client's org first if there is none.
func (s *Server) NewClient(t testing.TB, id, scope string, edit ...func(*clients.NewSpec)) clients.Created {
	t.Helper()
	spec := clients.NewSpec{ClientID: id, Spec: clients.Spec{Scope: &scope}}
	for _, e := range edit {
		e(&spec)
	}
	by := audit.Actor{Name: "test"}
	if spec.OrgID != "" {
		if _, err := s.Orgs().Get(t.Context(), spec.OrgID); err != nil {
			if _, _, err := s.Orgs().Put(t.Context(), by, spec.OrgID, 0, orgs.Spec{Name: spec.OrgID}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := s.Clients().Create(t.Context(), by, spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
