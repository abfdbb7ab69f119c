package service_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// Redis holds the counters of refused callers only under numbers of a bounded
// set, and only until the window ends.
func TestIdentitiesInRedis(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr
	s := harness.Start(t, edits(harness.OnRedis(addr), limited(perClient, 1000)))
	s.NewClient(t, "billing-service", "users:read")
	const tries = 60
	for i := range tries {
		want(t, s, 401, attempt{from: fmt.Sprint("203.0.113.", i%30), id: fmt.Sprint("ghost-", i), secret: "wrong-guess"}, "a ghost")
		want(t, s, 401, attempt{from: fmt.Sprint("203.0.113.", i), id: "billing-service", secret: "wrong-guess"}, "a client")
	}
	redis := harness.DialRedis(t, addr)
	keys := redis.Keys(t, "grantd:l:*")
	if len(keys) == 0 || len(keys) > 4*tries {
		t.Errorf("%d counters after %d failures", len(keys), 2*tries)
	}
	for _, key := range keys {
		name := strings.TrimPrefix(key, "grantd:l:")
		if len(name) > 5 || strings.Trim(name, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("counter %q is not a number of a bounded set", name)
		}
		if left := redis.Do(t, "PTTL", key).(int64); left <= 0 || left > window.Milliseconds() {
			t.Errorf("counter %q expires in %d ms", name, left)
		}
	}
	for _, key := range redis.Keys(t, "*") {
		for _, identity := range []string{"203.0.113", "ghost", "wrong-guess"} {
			if strings.Contains(key, identity) {
				t.Errorf("key %q holds an identity", key)
			}
		}
	}
}

// 20,000 wrong secrets, mostly for unknown clients and from addresses that are
// soon refused, make neither Redis nor the process grow.
func TestFloodOfWrongSecrets(t *testing.T) {
	const attempts, addresses, workers = 20_000, 8, 16
	addr := redistest.Start(t).Addr
	s := harness.Start(t, edits(harness.OnRedis(addr), limited(perClient, perAddress)))
	c := s.NewClient(t, "billing", "users:read")
	flood := func(from, to int) {
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := from + w; i < to; i += workers {
					a := attempt{from: fmt.Sprint("203.0.113.", i%addresses), id: fmt.Sprint("ghost", i), secret: "wrong"}
					if i%10 == 0 {
						a.id = "billing"
					}
					r, err := send(s, a)
					if err != nil || r.Status != 401 && r.Status != 429 {
						t.Errorf("%d %s %v", r.Status, r.Body, err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	flood(0, attempts/4) // connections, caches and counters that stay
	logged := len(s.Logs.String())
	before := heap()
	flood(attempts/4, attempts)
	logged = len(s.Logs.String()) - logged // the harness keeps the whole log
	grown := heap() - before - 4*int64(logged)
	if grown > 16<<20 {
		t.Errorf("the heap has grown by %d KiB over %d attempts", grown>>10, attempts*3/4)
	}
	redis := harness.DialRedis(t, addr)
	// Once an address is refused, only requests that are already running are
	// still counted for it.
	if n := len(redis.Keys(t, "grantd:l:*")); n == 0 || n > addresses*(perAddress+workers+2) {
		t.Errorf("%d counters after %d attempts", n, attempts)
	}
	want(t, s, 200, attempt{from: "203.0.113.0", id: "billing", secret: c.ClientSecret}, "the right secret")
	want(t, s, 401, attempt{from: bystander, id: "billing", secret: "wrong"}, "another address")
}

// heap returns the bytes in use after garbage collection.
func heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
		time.Sleep(time.Millisecond) // finalizers run concurrently
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
