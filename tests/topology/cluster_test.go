package topology_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/poll"
)

// slotMoves moves the slots of the feed, of a client and of a token to another
// master while all of them are in use. No response is wrong, and none is 503.
func slotMoves(t *testing.T, top cluster) {
	w := newWorld(t, top, "auto")
	c := w.a.NewClient(t, "c", "users:read")
	live, over := w.tokens(t, c, 10), w.tokens(t, c, 4)
	w.end(t, c, over)
	x := w.watch(t, true, live, over)
	for what, key := range map[string]string{"feed": w.feed(), "client": w.prefix + "c:c", "lineage": w.prefix + "lineage", "token": w.tokenKey(t, top)} {
		slot := top.Slot(t, key)
		from := top.Master(slot)
		var to *redistest.Server
		for _, m := range top.Masters() {
			if m != from {
				to = m
			}
		}
		steps, change := 0, what == "client" || what == "feed"
		top.Migrate(t, slot, to, func() {
			steps++
			w.use(t, c, change, fmt.Sprintf("%s, step %d", what, steps))
		})
		w.use(t, c, change, what+", moved")
	}
	x.stop(t)
	third := w.start(t)
	for _, token := range live {
		if a := w.introspect(t, third, token); !a.Active() {
			t.Errorf("at a third server that started afterwards: %v", a)
		}
	}
}

// use does everything once at each server.
func (w *world) use(t *testing.T, c clients.Created, change bool, when string) {
	t.Helper()
	var done sync.WaitGroup
	done.Go(func() {
		if !change {
			return // a change takes max_staleness
		}
		if a := admin(t, w.a, "PATCH", "/clients/c", map[string]any{"name": when}); a.Status != 200 {
			t.Errorf("%s: change: %v", when, a)
		}
	})
	for i, at := range w.servers() {
		other := w.servers()[1-i]
		done.Go(func() {
			token, a := issue(t, at, c)
			if a.Status != 200 {
				t.Errorf("%s: issue: %v", when, a)
				return
			}
			if a := w.introspect(t, other, token); !a.Active() {
				t.Errorf("%s: introspect: %v", when, a)
			}
			ack := revoke(t, other, c, token)
			if ack.Status != 200 {
				t.Errorf("%s: revoke: %v", when, ack)
				return
			}
			a = w.introspect(t, at, token)
			for a.Active() && a.Sent.Before(ack.Got.Add(staleness)) {
				a = w.introspect(t, at, token)
			}
			if !a.Inactive() {
				t.Errorf("%s: revoked: %v", when, a)
			}
		})
	}
	done.Wait()
}

// tokenKey returns the key of one token of the world.
func (w *world) tokenKey(t *testing.T, top cluster) string {
	t.Helper()
	for _, m := range top.Masters() {
		for _, key := range m.Must(t, "keys", w.prefix+"t:*") {
			if !strings.Contains(key, "{") { // keys with a hash tag belong to the slot of the tag
				return key
			}
		}
	}
	t.Fatal("no token")
	return ""
}

// down stops so many masters that no failover is possible. Responses are right or
// 503, and full service returns when the masters go on.
func down(t *testing.T, top cluster) {
	w := newWorld(t, top, "auto")
	c := w.a.NewClient(t, "c", "users:read")
	live, over := w.tokens(t, c, 6), w.tokens(t, c, 3)
	w.end(t, c, over)
	t.Cleanup(func() { top.heal(t) })
	x := w.watch(t, false, live, over)
	masters := top.Masters()
	for _, m := range masters[1:] {
		m.Pause()
	}
	top.AwaitDown(t)
	for _, s := range w.servers() {
		poll.Await(t, recovery, "503 while the Cluster is down", func() string {
			if a := w.introspect(t, s, live[0]); !a.Unavailable() {
				return "introspect: " + a.String()
			}
			if _, a := issue(t, s, c); !a.Unavailable() {
				return "issue: " + a.String()
			}
			if a := revoke(t, s, c, live[0]); !a.Unavailable() {
				return "revoke: " + a.String()
			}
			if ready(t, s) == "" {
				return "readyz returns 200"
			}
			return ""
		})
	}
	for _, m := range masters[1:] {
		m.Resume()
	}
	top.AwaitWhole(t)
	took := poll.Await(t, recovery, "service after the Cluster is back", func() string { return w.serves(t, c) })
	for _, token := range live[1:] {
		w.active(t, token, "live")
	}
	x.stop(t)
	t.Logf("service %v after the Cluster was whole", took)
}
