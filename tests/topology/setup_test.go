package topology_test

import (
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/parallel"
	"github.com/grantd/grantd/tests/poll"
)

const (
	// staleness is cache.max_staleness of every server here, the default.
	staleness = time.Second
	// recovery is how long full service may take once Redis is usable again.
	recovery = 5 * time.Second
	// longest is how long a response may take, whatever Redis does: a read of the
	// feed and one of the record, a second each, and a second for a busy machine.
	longest = 3 * time.Second
	// pause between two polls leaves the processors to the servers.
	pause = 5 * time.Millisecond
)

var worlds atomic.Int64

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 16)) }

// world is two servers that share a store in the topology.
type world struct {
	top    topology
	prefix string
	acks   config.ReplicaAcks
	a, b   *harness.Server
	rs     clients.Created
}

func newWorld(t testing.TB, top topology, acks config.ReplicaAcks) *world {
	t.Helper()
	w := &world{top: top, prefix: fmt.Sprintf("world%d:", worlds.Add(1)), acks: acks}
	w.a, w.b = w.start(t), w.start(t)
	w.rs = w.a.NewClient(t, "rs", "introspect")
	return w
}

// start starts another server.
func (w *world) start(t testing.TB) *harness.Server {
	t.Helper()
	return harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		c.Store.Backend = "redis"
		w.top.configure(c)
		c.Store.Redis.KeyPrefix = w.prefix
		c.Store.Redis.ReplicaAcks = w.acks
		c.Store.Redis.ReplicaAckTimeout = 400 * time.Millisecond // enough on a busy machine
		c.Cache.MaxStaleness = staleness
	}})
}

func (w *world) feed() string { return w.prefix + "feed" }

func (w *world) servers() []*harness.Server { return []*harness.Server{w.a, w.b} }

// checked reports what is wrong with a response, but does not end the test, so
// that goroutines may use it.
func checked(t testing.TB, r harness.Response, err error) harness.Response {
	if err != nil {
		t.Error(err)
	} else if r.Status == 503 && r.Header.Get("Retry-After") == "" {
		t.Errorf("503 without Retry-After: %s", r.Body)
	}
	return r
}

func post(t testing.TB, s *harness.Server, path, id, secret string, form url.Values) harness.Response {
	r, err := s.TryForm(path, id, secret, form)
	return checked(t, r, err)
}

func (w *world) introspect(t testing.TB, s *harness.Server, token string) harness.Response {
	return post(t, s, "/oauth/introspect", w.rs.ClientID, w.rs.ClientSecret, url.Values{"token": {token}})
}

func issue(t testing.TB, s *harness.Server, c clients.Created) (string, harness.Response) {
	token, r, err := s.TryToken(c.ClientID, c.ClientSecret)
	return token, checked(t, r, err)
}

func revoke(t testing.TB, s *harness.Server, c clients.Created, token string) harness.Response {
	return post(t, s, "/oauth/revoke", c.ClientID, c.ClientSecret, url.Values{"token": {token}})
}

func admin(t testing.TB, s *harness.Server, method, path string, body any) harness.Response {
	r, err := s.TryAdmin(method, path, body)
	return checked(t, r, err)
}

// active checks that the token is active at both servers.
func (w *world) active(t testing.TB, token, what string) {
	t.Helper()
	for _, s := range w.servers() {
		if a := w.introspect(t, s, token); !a.Active() {
			t.Errorf("%s: %v, want active", what, a)
		}
	}
}

// inactive checks that the token is inactive at both servers.
func (w *world) inactive(t testing.TB, token, what string) {
	t.Helper()
	for _, s := range w.servers() {
		if a := w.introspect(t, s, token); !a.Inactive() {
			t.Errorf("%s: %v, want inactive", what, a)
		}
	}
}

// end revokes the tokens at alternating servers, and waits until both know it.
func (w *world) end(t testing.TB, c clients.Created, tokens []string) {
	t.Helper()
	for i, token := range tokens {
		if a := revoke(t, w.servers()[i%2], c, token); a.Status != 200 {
			t.Fatalf("revoke: %v", a)
		}
	}
	for _, token := range tokens {
		w.awaitInactive(t, token)
	}
}

func (w *world) awaitInactive(t testing.TB, token string) {
	t.Helper()
	poll.Await(t, staleness, "a revocation", func() string {
		for _, s := range w.servers() {
			if a := w.introspect(t, s, token); !a.Inactive() {
				return a.String()
			}
		}
		return ""
	})
}

// tokens returns n tokens of the client, issued at alternating servers.
func (w *world) tokens(t testing.TB, c clients.Created, n int) []string {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = w.servers()[i%2].Token(t, c, "")
	}
	return list
}

// watch introspects tokens at both servers until stop, and fails the test on a
// wrong response: a live token must be active, an ended one inactive, and either
// may get 503 unless quiet is set.
type watch struct {
	w     *world
	quiet bool // 503 is not allowed

	mu   sync.Mutex
	live []string
	over []string

	quit    chan struct{}
	once    sync.Once
	done    sync.WaitGroup
	refused atomic.Int64
	right   atomic.Int64
	slowest atomic.Int64
}

func (w *world) watch(t testing.TB, quiet bool, live, over []string) *watch {
	x := &watch{w: w, quiet: quiet, live: live, over: over, quit: make(chan struct{})}
	for _, s := range w.servers() {
		x.done.Go(func() { x.run(t, s) })
	}
	t.Cleanup(func() { x.stop(t) })
	return x
}

func (x *watch) run(t testing.TB, s *harness.Server) {
	for i := 0; ; i++ {
		select {
		case <-x.quit:
			return
		default:
		}
		x.mu.Lock()
		live, over := x.live, x.over
		x.mu.Unlock()
		x.judge(t, s, "live", live, i, harness.Response.Active)
		x.judge(t, s, "ended", over, i, harness.Response.Inactive)
		time.Sleep(pause)
	}
}

// judge introspects one of the tokens and checks the response.
func (x *watch) judge(t testing.TB, s *harness.Server, what string, tokens []string, i int, right func(harness.Response) bool) {
	if len(tokens) == 0 {
		return
	}
	a := x.w.introspect(t, s, tokens[i%len(tokens)])
	took := a.Got.Sub(a.Sent)
	if took > longest {
		t.Errorf("%v after %v", a, took)
	}
	for old := x.slowest.Load(); int64(took) > old && !x.slowest.CompareAndSwap(old, int64(took)); old = x.slowest.Load() {
	}
	switch {
	case a.Status == 0: // an error, which is already reported
	case right(a):
		x.right.Add(1)
	case a.Unavailable() && !x.quiet:
		x.refused.Add(1)
	default:
		t.Errorf("a token that is %s: %v", what, a)
	}
}

// ended adds a token whose revocation was acknowledged.
func (x *watch) ended(token string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = append(x.over[:len(x.over):len(x.over)], token)
}

// stop ends the goroutines that x.done counts.
func (x *watch) stop(t testing.TB) {
	x.once.Do(func() {
		close(x.quit)
		x.done.Wait()
		t.Logf("%d right responses, %d refused, the slowest after %v", x.right.Load(), x.refused.Load(), time.Duration(x.slowest.Load()).Round(time.Millisecond))
	})
}

// ready returns "" if readyz responds with 200.
func ready(t testing.TB, s *harness.Server) string {
	r, err := s.TryGet("/readyz")
	if r = checked(t, r, err); r.Status != 200 {
		return r.Body
	}
	return ""
}

// serves returns "" if both servers issue tokens, and each token is active at
// both.
func (w *world) serves(t testing.TB, c clients.Created) string {
	for _, s := range w.servers() {
		if why := ready(t, s); why != "" {
			return why
		}
		token, a := issue(t, s, c)
		if token == "" {
			return a.String()
		}
		for _, other := range w.servers() {
			if a := w.introspect(t, other, token); !a.Active() {
				return a.String()
			}
		}
	}
	return ""
}
