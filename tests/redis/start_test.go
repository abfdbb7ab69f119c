package redis_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// TestGoroutines checks that requests that wait for a missing Redis leave no
// goroutines behind. It runs alone because it counts those of the whole process.
func TestGoroutines(t *testing.T) {
	for _, m := range []harness.Mode{harness.Hanging, harness.Refusing} {
		t.Run(m.String(), func(t *testing.T) {
			const requests, slack = 200, 40
			x := newWorld(t)
			x.link.Set(m)
			poll.Await(t, patience, "the fault is noticed", func() string {
				return x.introspect(t, x.live[0]).NotUnavailable()
			})
			settled := func() int {
				http.DefaultTransport.(*http.Transport).CloseIdleConnections()
				x.s.Admin.CloseIdleConnections()
				return runtime.NumGoroutine()
			}
			before := settled()
			var all sync.WaitGroup
			for i := range requests {
				all.Go(func() {
					var a harness.Response
					switch i % 4 {
					case 0:
						a = x.issue(t, x.c.ClientSecret)
					case 1:
						a = x.introspect(t, x.live[i%3])
					case 2:
						a = x.revoke(t, x.live[2])
					default:
						a = x.admin(t, "GET", "/clients/c", nil)
					}
					if a.NotUnavailable() != "" {
						t.Errorf("%v: %s", a, a.NotUnavailable())
					}
				})
			}
			all.Wait()
			// Abandoned reads end by their time-out.
			poll.Await(t, patience, "the goroutines end", func() string {
				if n := settled(); n > before+slack {
					return fmt.Sprintf("there are %d, before %d", n, before)
				}
				return ""
			})
			x.link.Set(harness.Passing)
			x.recovers(t)
		})
	}
}

// open creates a server, which opens its store.
func open(t *testing.T, redis string) error {
	t.Helper()
	cfg := config.Defaults()
	harness.OnRedis(redis)(&cfg)
	cfg.Public.Listen, cfg.Metrics.Listen = "127.0.0.1:0", ""
	cfg.Admin.Socket = filepath.Join(t.TempDir(), "a.sock")
	s, err := server.New(t.Context(), server.Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		_ = s.Stop(t.Context())
	}
	return err
}

// A Redis that would evict records when it is full is refused, and the error
// names the setting to change.
func TestEvictingPolicies(t *testing.T) {
	addr := redistest.Start(t).Addr
	redis := harness.DialRedis(t, addr)
	for _, policy := range []string{
		"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
	} {
		redis.Do(t, "CONFIG", "SET", "maxmemory-policy", policy)
		err := open(t, addr)
		if err == nil || !strings.Contains(err.Error(), `maxmemory-policy is "`+policy+`"`) || !strings.Contains(err.Error(), "CONFIG SET maxmemory-policy noeviction") {
			t.Errorf("%s: %v", policy, err)
		}
		if keys := redis.Keys(t, "*"); len(keys) > 0 {
			t.Errorf("%s: grantd wrote to it before it refused it: %q", policy, keys)
		}
	}
	redis.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	if err := open(t, addr); err != nil {
		t.Errorf("noeviction: %v", err)
	}
}

// A server without a usable Redis soon returns an error and does not start.
func TestStartWithoutRedis(t *testing.T) {
	for _, f := range faults {
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			x := &world{addr: redistest.Start(t).Addr}
			x.redis = harness.DialRedis(t, x.addr)
			x.link = harness.StartProxy(t, x.addr)
			f.begin(t, x)
			began := time.Now()
			err := open(t, x.link.Addr)
			if took := time.Since(began); err == nil || took > answerTime || !strings.HasPrefix(err.Error(), "store.redis: ") {
				t.Errorf("after %v: %v", took, err)
			}
			f.end(t, x)
			if err := open(t, x.link.Addr); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}
