package redis_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// TestFullRedis fills a Redis, first so far that nothing new is made, and then
// until it refuses every ordinary write. Whatever ends things works all the time,
// and minting works again by itself once there is room.
func TestFullRedis(t *testing.T) {
	t.Parallel()
	const room = 32 << 20
	addr := redistest.Start(t, "--maxmemory", fmt.Sprint(room)).Addr
	s := harness.Start(t, harness.Options{Edit: func(c *config.Config) { harness.OnRedis(addr)(c) }})
	foreign := harness.DialRedis(t, addr)
	rs := create(t, s, "rs", "introspect")
	mint := func(id, secret string) string {
		t.Helper()
		token, r, err := issue(s, id, secret)
		if err != nil || r.Status != 200 {
			t.Fatalf("%s: %v %v", id, r, err)
		}
		return token
	}
	type victim struct{ id, secret, token string }
	var victims []victim
	for i := range 4 {
		c := create(t, s, fmt.Sprint("client-", i), "users:read")
		victims = append(victims, victim{c.ClientID, c.ClientSecret, mint(c.ClientID, c.ClientSecret)})
	}
	full := func() {
		t.Helper()
		poll.Await(t, patience, "minting is refused", func() string {
			_, r, err := issue(s, "client-3", victims[3].secret)
			if err != nil || r.Status == 503 && r.Header.Get("Retry-After") != "" && strings.Contains(r.Body, "temporarily_unavailable") {
				return ""
			}
			return r.String()
		})
	}
	end := func(round int) {
		t.Helper()
		v := victims[2*round : 2*round+2]
		admin(t, s, 200, http.MethodPost, "/clients/"+v[0].id+"/deactivate", nil)
		admin(t, s, 200, http.MethodPost, "/clients/"+v[1].id+"/void-tokens", nil)
		for _, x := range v {
			mustBeInactive(t, s, rs, x.token, x.id)
		}
		rotated := rotate(t, s, v[1].id, "0s")
		if _, r, err := issue(s, v[1].id, v[1].secret); err != nil || r.Status != 401 {
			t.Errorf("the old secret: %v %v", r, err)
		}
		victims[2*round+1].secret = rotated.ClientSecret
		admin(t, s, 200, http.MethodPost, "/tokens/void-all", nil)
	}
	// Most of it at once, and the rest by minting.
	block := strings.Repeat("x", 64<<10)
	keys := 0
	for used(t, foreign) < room*88/100 {
		foreign.Do(t, "SET", fmt.Sprint("foreign:", keys), block)
		keys++
	}
	big := victims[3]
	poll.Await(t, patience, "one client fills it", func() string {
		if _, r, err := issue(s, big.id, big.secret); err != nil || r.Status != 503 {
			if used(t, foreign) < room*91/100 { // quicker than tokens
				foreign.Do(t, "SET", fmt.Sprint("foreign:", keys), block)
				keys++
			}
			return r.String()
		}
		return ""
	})
	full()
	end(0)
	for ; ; keys++ {
		if _, err := foreign.Try("SET", fmt.Sprint("foreign:", keys), block[:1<<10]); err != nil {
			if !strings.HasPrefix(err.Error(), "OOM") {
				t.Fatal(err)
			}
			break
		}
	}
	full()
	end(1)
	if log := s.Logs.String(); !strings.Contains(log, "maxmemory") || strings.Count(log, `"msg":"store: Redis is nearly full`) != 1 {
		t.Error("the log does not say once why minting is refused")
	}
	for i := range keys {
		foreign.Do(t, "DEL", fmt.Sprint("foreign:", i))
	}
	begun := time.Now()
	poll.Await(t, patience, "minting with room", func() string {
		_, r, err := issue(s, victims[3].id, victims[3].secret)
		if err != nil || r.Status != 200 {
			return fmt.Sprint(r, err)
		}
		return ""
	})
	t.Logf("minting works %v after there was room", time.Since(begun).Round(time.Millisecond))
	fresh := mint("client-1", victims[1].secret)
	mustBeActive(t, s, rs, fresh, "a token that was issued afterward")
}

// TestFullRedisIsReadyToIntrospect checks that a full Redis does not take grantd out of
// a load balancer: nothing can be issued, here or elsewhere, but tokens can be
// introspected. Both capabilities are in the body.
func TestFullRedisIsReadyToIntrospect(t *testing.T) {
	t.Parallel()
	x := newWorld(t)
	const ready, full = `"introspect":{"ready":true}`, `"issue":{"ready":false,"cause":"store_full"`
	x.redis.Do(t, "CONFIG", "SET", "maxmemory", "1")
	poll.Await(t, patience, "Redis is full", func() string {
		if a := x.get(t, "/readyz?for=issue"); a.Status != 503 || !strings.Contains(a.Body, full) {
			return a.String()
		}
		return ""
	})
	for _, path := range []string{"/readyz", "/readyz?for=introspect"} {
		if a := x.get(t, path); a.Status != 200 || !strings.Contains(a.Body, ready) || !strings.Contains(a.Body, full) {
			t.Errorf("%s: %v", path, a)
		}
	}
	for _, token := range x.live {
		if a := x.introspect(t, token); !a.Active() {
			t.Errorf("introspecting: %v", a)
		}
	}
	x.redis.Do(t, "CONFIG", "SET", "maxmemory", "0")
	poll.Await(t, patience, "room", func() string {
		if a := x.get(t, "/readyz?for=issue"); a.Status != 200 || strings.Contains(a.Body, "store_full") {
			return a.String()
		}
		return ""
	})
}

// TestEvictionMakesItUnready checks that a Redis whose policy is changed while
// grantd runs makes it unready, with the reason, until the policy is right again.
func TestEvictionMakesItUnready(t *testing.T) {
	t.Parallel()
	x := newWorld(t)
	x.redis.Do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	poll.Await(t, patience, "not ready", func() string {
		if a := x.get(t, "/readyz"); a.Status != 503 || !strings.Contains(a.Body, "the settings of the store would lose records") {
			return a.String()
		}
		return ""
	})
	if log := x.s.Logs.String(); strings.Count(log, `"msg":"store: the settings of Redis would lose records"`) != 1 || !strings.Contains(log, "CONFIG SET maxmemory-policy noeviction") {
		t.Error("the log does not say once what to change")
	}
	x.redis.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	poll.Await(t, patience, "ready", ready(t, x.s))
}

// used returns how many bytes Redis uses.
func used(t *testing.T, r *harness.Redis) int {
	t.Helper()
	for line := range strings.Lines(r.Do(t, "INFO", "memory").(string)) {
		var n int
		if _, err := fmt.Sscanf(line, "used_memory:%d", &n); err == nil {
			return n
		}
	}
	t.Fatal("no used_memory")
	return 0
}
