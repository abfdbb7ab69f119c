package service_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

const importedSecret = "correct horse battery staple"

// importClient makes the client old, whose secret was imported.
func importClient(t *testing.T, s *harness.Server, cost int) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(importedSecret), cost)
	if err != nil {
		t.Fatal(err)
	}
	s.NewClient(t, "old", "users:read", func(c *clients.NewSpec) { c.SecretHash = string(hash) })
}

// perImported returns the edit that sets the limit of failures for one client.
func perImported(count int) func(*config.Config) {
	return func(c *config.Config) { c.Limits.AuthFailuresPerClient = config.Limit{Count: count, Per: time.Hour} }
}

// Guesses at one imported secret from ever new addresses get 429 before a hash.
// Where the client got in before, it is neither refused nor counted.
func TestFailuresOfAnImportedSecret(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(edits(limited(0, 0), perImported(3)))
		importClient(t, s, 10)
		s.NewClient(t, "made", "users:read")
		home := attempt{from: bystander, id: "old", secret: importedSecret}
		typo := attempt{from: bystander, id: "old", secret: "typo"}
		want(t, s, 200, home, "the owner")
		exhaust(t, s, 5, typo) // not counted
		for i := range 3 {
			want(t, s, 401, attempt{from: fmt.Sprint("203.0.113.", i), id: "old", secret: "wrong"}, fmt.Sprint("guess ", i))
		}
		guess := attempt{from: "203.0.113.100", id: "old", secret: "wrong"}
		if r := try(t, s, guess); r.Status != 429 || r.Header.Get("Retry-After") == "" {
			t.Errorf("one guess too many: %d %s", r.Status, r.Body)
		}
		want(t, s, 429, attempt{from: "2001:db8::1", id: "old", secret: "wrong"}, "from another network")
		want(t, s, 200, home, "the owner")
		exhaust(t, s, 2, typo)
		for i := range 10 {
			want(t, s, 401, attempt{from: fmt.Sprint("203.0.113.", i), id: "made", secret: "wrong"}, "a generated secret cannot be guessed, so it has no such limit")
			want(t, s, 401, attempt{from: fmt.Sprint("203.0.113.", i), id: "nobody", secret: "wrong"}, "nor has an unknown client")
		}
	})
}

// While many addresses guess at an imported secret from the moment of the start,
// its owner, who got in before, gets every token, also the first. That one takes
// as long as one slow check.
func TestOwnerBesideStrangers(t *testing.T) {
	for _, backend := range []string{"embedded", "redis"} {
		t.Run(backend, func(t *testing.T) {
			start := restartable(t, backend)
			o := edits(limited(20, 300), perImported(100))
			s := start(o)
			importClient(t, s, 10)
			home := attempt{from: bystander, id: "old", secret: importedSecret}
			began := time.Now()
			want(t, s, 200, home, "before the restart")
			alone := time.Since(began)
			s.Close()

			s = start(o)
			stop := make(chan struct{})
			var all sync.WaitGroup
			var statuses [600]atomic.Int64
			const addresses, perSecond = 12, 60
			for i := range addresses {
				all.Go(func() {
					tick := time.NewTicker(time.Second * addresses / perSecond)
					defer tick.Stop()
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						case <-tick.C:
						}
						all.Go(func() {
							if r, err := send(s, attempt{from: fmt.Sprint("203.0.113.", i), id: "old", secret: fmt.Sprint("wrong", i, n)}); err == nil {
								statuses[r.Status].Add(1)
							}
						})
					}
				})
			}
			time.Sleep(time.Second) // the queue of strangers is full
			var took []time.Duration
			for range 20 {
				began := time.Now()
				r := want(t, s, 200, home, "the owner")
				took = append(took, time.Since(began))
				if r.Status != 200 {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			close(stop)
			all.Wait()
			if len(took) < 2 {
				t.FailNow()
			}
			t.Logf("alone %v; beside strangers first %v, then median %v; strangers got %d 401, %d 429, %d 503",
				alone, took[0], median(took[1:]), statuses[401].Load(), statuses[429].Load(), statuses[503].Load())
			if took[0] > 4*alone+time.Second {
				t.Errorf("the first token took %v, without strangers %v", took[0], alone)
			}
			if slices.Max(took[1:]) > alone+time.Second {
				t.Errorf("a later token took %v", slices.Max(took[1:]))
			}
			if statuses[429].Load() == 0 || statuses[401].Load() == 0 {
				t.Error("the strangers did not reach the limit: the test shows nothing")
			}
		})
	}
}

// restartable returns a function that starts servers on one store, one after the
// other.
func restartable(t *testing.T, backend string) func(harness.Options) *harness.Server {
	t.Helper()
	var edit func(*config.Config)
	if backend == "embedded" {
		path := filepath.Join(t.TempDir(), "data")
		edit = func(c *config.Config) { c.Store.Embedded.Path = path }
	} else {
		edit = harness.OnRedis(redistestAddr(t))
	}
	return func(o harness.Options) *harness.Server {
		mine := o.Edit
		o.Edit = func(c *config.Config) { edit(c); mine(c) }
		return harness.Start(t, o)
	}
}

// Behind a proxy that is not trusted, all callers have its address. An owner
// whose secret was right before is not refused because of the others, and one
// that starts again gets in although the limits are reached.
func TestOwnerBehindAnUnnamedProxy(t *testing.T) {
	t.Parallel()
	start := restartable(t, "embedded")
	o := edits(limited(perClient, perAddress), perImported(100), func(c *config.Config) { c.Public.TrustedProxies = nil })
	s := start(o)
	importClient(t, s, 10)
	home := attempt{id: "old", secret: importedSecret}
	want(t, s, 200, home, "the owner")
	for i := range 3 * perAddress {
		if r := try(t, s, attempt{id: "old", secret: fmt.Sprint("wrong", i)}); i > perAddress && r.Status != 429 && r.Status != 401 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	// More is not checked: except one in three seconds.
	checked := 0
	for i := range 20 {
		if try(t, s, attempt{id: "old", secret: fmt.Sprint("wrong", i)}).Status == 401 {
			checked++
		}
	}
	if checked > 0 {
		t.Errorf("%d guesses got 401 over the limit", checked)
	}
	want(t, s, 200, home, "the owner, over the limit")
	if r := s.AdminDo(t, "PATCH", "/clients/old", map[string]any{"name": "changed"}); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	want(t, s, 200, home, "the owner, whose record was changed")
	s.Close()

	s = start(o)
	for i := range 2 * perAddress { // embedded: counts begin again with the process
		try(t, s, attempt{id: "old", secret: fmt.Sprint("wrong", i)})
	}
	s.Clock.Add(4 * time.Second)
	want(t, s, 200, home, "the owner after a restart")
	want(t, s, 200, home, "again")
}

// The store holds no address of a client, and the list goes with the client.
func TestNetworksInRedis(t *testing.T) {
	t.Parallel()
	addr := redistestAddr(t)
	s := harness.Start(t, edits(harness.OnRedis(addr), limited(0, 0)))
	importClient(t, s, 10)
	want(t, s, 200, attempt{from: "2001:db8:77:1::5", id: "old", secret: importedSecret}, "the owner")
	s.Close()
	redis := harness.DialRedis(t, addr)
	nets, _ := redis.Do(t, "HGET", "grantd:c:old", "nets").(string)
	if nets == "" || strings.Contains(nets, "2001") || len(strings.Fields(nets)) != 1 {
		t.Errorf("networks %q", nets)
	}
}

func redistestAddr(t *testing.T) string { return redistest.Start(t).Addr }
