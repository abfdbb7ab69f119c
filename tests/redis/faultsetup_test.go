package redis_test

import (
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

const (
	// faultStaleness is cache.max_staleness where Redis has a fault.
	faultStaleness = 500 * time.Millisecond
	// answerTime is how long any response may take, whatever Redis does.
	answerTime = 5 * time.Second
)

// world is one grantd that reaches its Redis through a proxy.
type world struct {
	addr  string
	redis *harness.Redis // not through the proxy
	link  *harness.Proxy
	s     *harness.Server
	rs, c clients.Created

	mu   sync.Mutex
	live []string // tokens that are active; the first one is cached
	made int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	x := &world{addr: redistest.Start(t).Addr}
	x.redis = harness.DialRedis(t, x.addr)
	x.link = harness.StartProxy(t, x.addr)
	x.s = harness.Start(t, harness.Options{Edit: func(c *config.Config) {
		harness.OnRedis(x.link.Addr)(c)
		c.Cache.MaxStaleness = faultStaleness
	}})
	x.rs, x.c = x.s.NewClient(t, "rs", "introspect"), x.s.NewClient(t, "c", "users:read")
	for range 3 {
		x.live = append(x.live, x.s.Token(t, x.c, ""))
	}
	if r := x.s.Introspect(t, x.rs, x.live[0]); r.JSON(t)["active"] != true {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return x
}

// do sends a request. Several goroutines may call it.
func do(t testing.TB, what string, send func() (harness.Response, error)) harness.Response {
	r, err := send()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	} else if r.Took() > answerTime {
		t.Errorf("%s: %v", what, r)
	}
	return r
}

func (x *world) form(t testing.TB, path, id, secret string, form url.Values) harness.Response {
	return do(t, path, func() (harness.Response, error) { return x.s.TryForm(path, id, secret, form) })
}

func (x *world) issue(t testing.TB, secret string) harness.Response {
	return x.form(t, "/oauth/token", "c", secret, url.Values{"grant_type": {"client_credentials"}})
}

func (x *world) introspect(t testing.TB, token string) harness.Response {
	return x.form(t, "/oauth/introspect", "rs", x.rs.ClientSecret, url.Values{"token": {token}})
}

func (x *world) revoke(t testing.TB, token string) harness.Response {
	return x.form(t, "/oauth/revoke", "c", x.c.ClientSecret, url.Values{"token": {token}})
}

func (x *world) admin(t testing.TB, method, path string, body any) harness.Response {
	return do(t, method+" "+path, func() (harness.Response, error) { return x.s.TryAdmin(method, path, body) })
}

func (x *world) get(t testing.TB, path string) harness.Response {
	return do(t, path, func() (harness.Response, error) { return x.s.TryGet(path) })
}

// newID returns an unused client id.
func (x *world) newID() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.made++
	return fmt.Sprint("made", x.made)
}

// stays checks that a live token is active or gets 503.
func (x *world) stays(t testing.TB, token, what string) harness.Response {
	a := x.introspect(t, token)
	if !a.Active() && a.NotUnavailable() != "" {
		t.Errorf("a live token, %s: %v", what, a)
	}
	return a
}
