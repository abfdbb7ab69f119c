package redis_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// fates is a set of live and ended tokens, all cached at both replicas.
type fates struct {
	rs    clients.Created
	live  map[string]string
	ended map[string]string
}

// live creates clients and tokens at s; none of them has ended yet.
func live(t *testing.T, s *harness.Server) *fates {
	t.Helper()
	f := &fates{rs: create(t, s, "rs", "introspect"), live: map[string]string{}, ended: map[string]string{}}
	for _, id := range []string{"revoked", "revoked by jti", "voided", "deactivated", "reactivated", "secret voided", "deleted", "untouched"} {
		c := create(t, s, strings.ReplaceAll(id, " ", "-"), "users:read")
		f.live[id] = s.Token(t, c, "")
		if id == "revoked" {
			f.live["its sister"] = s.Token(t, c, "")
		}
		if id == "secret voided" {
			f.ended[id] = c.SecretID // until end
		}
	}
	return f
}

// end ends most of the tokens at s.
func (f *fates) end(t *testing.T, s *harness.Server) {
	t.Helper()
	secret := f.ended["secret voided"]
	jti, _ := s.AdminDo(t, http.MethodPost, "/tokens/explain", map[string]any{"token": f.live["revoked by jti"]}).JSON(t)["jti"].(string)
	var steps []func() (harness.Response, error)
	step := func(method, path string, body any) {
		steps = append(steps, func() (harness.Response, error) { return s.TryAdmin(method, path, body) })
	}
	step(http.MethodPost, "/tokens/revoke", map[string]any{"token": f.live["revoked"]})
	step(http.MethodPost, "/tokens/revoke", map[string]any{"jti": jti})
	step(http.MethodPost, "/clients/voided/void-tokens", nil)
	step(http.MethodPost, "/clients/deactivated/deactivate", nil)
	step(http.MethodPost, "/clients/reactivated/deactivate", nil)
	step(http.MethodDelete, "/clients/secret-voided/secrets/"+secret+"?void_tokens=true", nil)
	step(http.MethodDelete, "/clients/deleted", nil)
	errs := make(chan error, len(steps))
	for _, do := range steps {
		go func() {
			a, err := do()
			if err == nil && a.Status >= 300 {
				err = fmt.Errorf("%v", a)
			}
			errs <- err
		}()
	}
	for range steps {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	admin(t, s, 200, http.MethodPost, "/clients/reactivated/reactivate", nil)
	for id, token := range f.live {
		if id != "untouched" && id != "its sister" {
			f.ended[id] = token
			delete(f.live, id)
		}
	}
}

// check checks that every ended token is inactive at s and, if live is set, that
// the others are active.
func (f *fates) check(t *testing.T, s *harness.Server, when string, live bool) {
	t.Helper()
	for id, token := range f.ended {
		mustBeInactive(t, s, f.rs, token, when+": ended: "+id)
	}
	for id, token := range f.live {
		if live {
			mustBeActive(t, s, f.rs, token, when+": live: "+id)
		}
	}
}

// never introspects the ended tokens at the servers until stop is called; none
// may ever be active. The record of the resource server may be lost with the data.
func (f *fates) never(t *testing.T, servers ...*harness.Server) (stop func()) {
	t.Helper()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for id, token := range f.ended {
				for _, s := range servers {
					if a := introspect(t, s, f.rs, token); a.Active() {
						t.Errorf("ended: %s: %v", id, a)
						return
					}
				}
			}
			select {
			case <-quit:
				return
			case <-time.After(pause):
			}
		}
	}()
	return func() { close(quit); <-done }
}

// works checks that new clients and tokens work at both within recovery.
func works(t *testing.T, a, b *harness.Server) {
	t.Helper()
	poll.Await(t, recovery, "full service at one", ready(t, a))
	poll.Await(t, recovery, "full service at the other", ready(t, b))
	id := fmt.Sprintf("new-%d", time.Now().UnixNano())
	rs, c := create(t, a, id+"-rs", "introspect"), create(t, b, id, "users:read")
	for _, s := range []*harness.Server{a, b} {
		token := s.Token(t, c, "")
		for range 3 {
			mustBeActive(t, a, rs, token, "a new token")
			mustBeActive(t, b, rs, token, "a new token")
		}
	}
	token := a.Token(t, c, "")
	mustBeActive(t, b, rs, token, "a new token")
	revoke(t, b, c, token)
	poll.Await(t, staleness, "a new revocation", func() string {
		if x := introspect(t, a, rs, token); !x.Inactive() {
			return x.String()
		}
		return ""
	})
}

// TestFlushed deletes all data while the servers run. Ended tokens stay ended,
// and the service goes on with new clients.
func TestFlushed(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a, b := start(t, redis.Addr), start(t, redis.Addr)
	f := live(t, a)
	f.check(t, b, "before", true)
	f.end(t, a)
	f.check(t, b, "ended", true)
	stop := f.never(t, a, b)
	for range 3 {
		redisDo(t, redis.Addr, "FLUSHALL")
		noticed(t, a, b)
		works(t, a, b)
	}
	stop()
}

// TestRedisRestartedEmpty restarts a Redis that persists nothing.
func TestRedisRestartedEmpty(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a, b := start(t, redis.Addr), start(t, redis.Addr)
	f := live(t, a)
	f.check(t, b, "before", true)
	f.end(t, a)
	stop := f.never(t, a, b)
	redis.Kill()
	redis.Restart()
	noticed(t, a, b)
	works(t, a, b)
	stop()
}

// noticed waits until the servers know that the store came back from before what they
// remember. What is made before that is held back too.
func noticed(t *testing.T, servers ...*harness.Server) {
	t.Helper()
	for _, s := range servers {
		poll.Await(t, recovery, "the hold", func() string {
			if r, err := s.TryAdmin(http.MethodGet, "/store", nil); err != nil || !strings.Contains(r.Body, `"beyond_memory"`) {
				return fmt.Sprint(r, err)
			}
			return ""
		})
	}
}

// TestRedisRolledBack restarts Redis with data from before the tokens ended,
// which holds the records of the ended tokens. The replicas write the ends back.
func TestRedisRolledBack(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a, b := start(t, redis.Addr), start(t, redis.Addr)
	f := live(t, a)
	redisDo(t, redis.Addr, "SAVE")
	f.check(t, b, "before", true)
	f.end(t, a)
	stop := f.never(t, a, b)
	redis.Kill()
	redis.Restart() // with the saved data
	works(t, a, b)
	stop()
	f.check(t, a, "rolled back", true)
	f.check(t, b, "rolled back", true)

	c := start(t, redis.Addr)
	f.check(t, c, "at a third replica, which was not there", true)
	a.Close()
	b.Close()
	d := start(t, redis.Addr)
	f.check(t, d, "at a fourth, without the witnesses", true)
}

// TestRedisRestartedWithItsData checks that nothing is lost as long as one
// replica knows that the data is complete, even for a replica that starts later.
func TestRedisRestartedWithItsData(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	a, b := start(t, redis.Addr), start(t, redis.Addr)
	f := live(t, a)
	f.end(t, a)
	f.check(t, b, "before", true)
	stop := f.never(t, a, b)
	redis.Stop()
	// Both must notice before Redis is back.
	for _, s := range []*harness.Server{a, b} {
		poll.Await(t, patience, "readyz without Redis", func() string {
			if ready(t, s)() == "" {
				return "still ready"
			}
			return ""
		})
	}
	redis.Restart()
	works(t, a, b)
	stop()
	f.check(t, a, "restarted", true)
	f.check(t, b, "restarted", true)
	c := start(t, redis.Addr)
	f.check(t, c, "at a replica that started afterwards", true)
}

// TestRedisRestartedUnseen restarts Redis while no replica runs, so that none
// knows whether the last revocations are still there. All earlier tokens are
// void, and everything that can authenticate is held back.
func TestRedisRestartedUnseen(t *testing.T) {
	t.Parallel()
	for _, keep := range []string{"AOF", "RDB"} {
		t.Run(keep, func(t *testing.T) {
			t.Parallel()
			var args []string
			if keep == "AOF" {
				args = []string{"--appendonly", "yes"}
			}
			redis := redistest.Start(t, args...)
			a, b := start(t, redis.Addr), start(t, redis.Addr)
			f := live(t, a)
			f.check(t, b, "before", true)
			if keep == "RDB" {
				redisDo(t, redis.Addr, "SAVE")
			}
			f.end(t, a)
			a.Close()
			b.Close()
			redis.Kill()
			redis.Restart()
			a, b = start(t, redis.Addr), start(t, redis.Addr)
			for id, token := range f.live {
				f.ended[id] = token
				delete(f.live, id)
			}
			stop := f.never(t, a, b)
			if r := introspect(t, a, f.rs, "x"); r.Status != 401 {
				t.Errorf("a client that nobody knows the end of: %v", r)
			}
			releaseAll(t, b)
			f.check(t, a, "restarted unseen", true)
			f.check(t, b, "restarted unseen", true)
			works(t, a, b)
			stop()
		})
	}
}

// releaseAll releases everything that is held back, as an operator does with
// grantd store doctor --release all.
func releaseAll(t *testing.T, s *harness.Server) {
	t.Helper()
	var all sync.WaitGroup
	for _, kind := range []string{"client", "org", "customer", "partner", "grant"} {
		all.Go(func() { admin(t, s, 204, http.MethodPost, "/store/release", body{"kind": kind, "all": true}) })
	}
	all.Wait()
}

// TestReplicasRestartedAlone restarts only the replicas: nothing is lost.
func TestReplicasRestartedAlone(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	a, b := start(t, redis.Addr), start(t, redis.Addr)
	f := live(t, a)
	f.end(t, b)
	b.Close()
	b = start(t, redis.Addr)
	f.check(t, b, "one was restarted", true)
	a.Close()
	b.Close()
	a = start(t, redis.Addr)
	f.check(t, a, "all were restarted", true)
}
