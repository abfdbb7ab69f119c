package guard

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// mostAllocations is how many a cached check may make.
const mostAllocations = 1

// cachedGuard returns a guard that needs no server: it is told that it follows, and has
// the token in its cache.
func cachedGuard(t testing.TB, token string) *Guard {
	t.Helper()
	server := httptest.NewServer(nil)
	t.Cleanup(server.Close)
	c := Config{Issuer: server.URL, ClientID: rsID, Secret: rsSecret, NoStream: true, StartTimeout: time.Nanosecond, Log: (&fakeServer{}).config().Log}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	g.registration.Store(&registered{Registration: g.cfg.registration()})
	a, err := parseVerdict([]byte(`{"active":true,"scope":"users:read users:write","token_use":"client","sub":"client:shop","client_id":"shop","exp":99999999999,"void_keys":["` +
		key(1) + `","` + key(2) + `","` + key(3) + `","` + key(4) + `"],"feed_position":"` + at(5) + `","feed_age_ms":0}`))
	if err != nil {
		t.Fatal(err)
	}
	a.deadline, a.coherent = time.Hour, true
	a.epoch = g.view.current()
	g.view.asOf.Store(int64(time.Hour)) // always fresh
	g.keep(a, token, netip.Addr{})
	return g
}

// realToken has the length of the tokens of grantd.
const realToken = "gt_sandbox_" + "Zk3mQ0sV9xT7hRfYb2LwC8nPdJ6uAeGiX1oK5tMvB4E"

var usersRead = []string{"users:read"}

func TestAllocationsOfACachedCheck(t *testing.T) {
	g := cachedGuard(t, realToken)
	ctx := context.Background()
	check := func() {
		if _, err := g.Check(ctx, realToken, Need{Scopes: usersRead}); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(1000, check); got > mostAllocations {
		t.Errorf("%v allocations, at most %d", got, mostAllocations)
	}
	moved := func() {
		g.view.generation.Add(1)
		check()
	}
	if got := testing.AllocsPerRun(1000, moved); got > mostAllocations {
		t.Errorf("%v allocations after a void of something else, at most %d", got, mostAllocations)
	}
	if g.State().Misses != 0 {
		t.Errorf("state %+v", g.State())
	}
}

func BenchmarkCheck(b *testing.B) {
	g := cachedGuard(b, realToken)
	ctx := context.Background()
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Check(ctx, realToken, Need{Scopes: usersRead}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("after a void of something else", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.view.generation.Add(1)
			if _, err := g.Check(ctx, realToken, Need{Scopes: usersRead}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		var failed atomic.Bool
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := g.Check(ctx, realToken, Need{Scopes: usersRead}); err != nil {
					failed.Store(true)
				}
			}
		})
		if failed.Load() {
			b.Error("a check failed")
		}
	})
}
