package topology_test

import (
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/poll"
)

// masterKilled kills the master that holds the feed. Every response is right or
// 503, nothing that was acknowledged before is lost, and service returns by
// itself.
func masterKilled(t *testing.T, top topology) {
	w := newWorld(t, top, "auto")
	c := w.a.NewClient(t, "c", "users:read")
	live := w.tokens(t, c, 12)
	over := w.tokens(t, c, 12)
	ending, over := over[:4], over[4:] // end during the failover
	w.end(t, c, over)
	top.replicated(t) // issuing tokens does not wait for replicas
	t.Cleanup(func() { top.heal(t) })
	x := w.watch(t, false, live, over)

	old := top.master(t, w.feed())
	old.Kill()
	killed := time.Now()
	x.done.Go(func() { // issues tokens, and revokes those in ending
		for i := 0; ; i++ {
			select {
			case <-x.quit:
				return
			case <-time.After(pause):
			}
			s := w.servers()[i%2]
			if _, a := issue(t, s, c); a.Status != 200 && !a.Unavailable() {
				t.Errorf("issuing: %v", a)
			}
			if len(ending) == 0 {
				continue
			}
			switch a := revoke(t, s, c, ending[0]); {
			case a.Status == 200:
				token := ending[0]
				ending = ending[1:]
				time.AfterFunc(staleness, func() { x.ended(token) })
			case !a.Unavailable():
				t.Errorf("revoking: %v", a)
			}
		}
	})
	top.promotion(t, w.feed(), old)
	promoted := time.Since(killed)
	took := poll.Await(t, recovery, "service after the promotion", func() string { return w.serves(t, c) })
	for _, token := range live {
		w.active(t, token, "issued before the kill")
	}
	top.heal(t) // a Cluster's critical writes need the replica back
	healed := poll.Await(t, recovery, "a client's change after the replica is back", func() string {
		if a := admin(t, w.b, "PATCH", "/clients/c", map[string]any{"name": "x"}); a.Status != 200 {
			return a.String()
		}
		return ""
	})
	last := w.a.Token(t, c, "")
	poll.Await(t, recovery, "a revocation after the replica is back", func() string {
		if a := revoke(t, w.b, c, last); a.Status != 200 {
			return a.String()
		}
		return ""
	})
	x.stop(t)
	for _, token := range append(over, last) {
		w.awaitInactive(t, token)
	}
	third := w.start(t)
	for _, token := range live {
		if a := w.introspect(t, third, token); !a.Active() {
			t.Errorf("at a third server that started afterwards: %v", a)
		}
	}
	t.Logf("promoted after %v, service %v later; changes %v after the replica", promoted.Round(time.Millisecond),
		took.Round(time.Millisecond), healed.Round(time.Millisecond))
}

// lostTail kills the master before it has replicated a revocation that it has
// acknowledged (replica_acks 0). The grantd servers know it and write it back.
func lostTail(t *testing.T, top topology) {
	w := newWorld(t, top, "0")
	c := w.a.NewClient(t, "c", "users:read")
	live, over := w.tokens(t, c, 6), w.tokens(t, c, 4)
	voided := w.a.NewClient(t, "voided", "users:read")
	over = append(over, w.tokens(t, voided, 2)...)
	for _, token := range append(over, live...) {
		w.active(t, token, "before")
	}
	top.replicated(t)
	t.Cleanup(func() { top.heal(t) })
	old := w.lose(t, func() {
		for i, token := range over[:4] {
			if a := revoke(t, w.servers()[i%2], c, token); a.Status != 200 {
				t.Fatal(a)
			}
		}
		if a := admin(t, w.a, "POST", "/clients/voided/void-tokens", nil); a.Status != 200 {
			t.Fatal(a)
		}
		for _, token := range over {
			w.inactive(t, token, "before the kill") // void-tokens waited for both servers
		}
	})
	x := w.watch(t, false, live, over)
	top.promotion(t, w.feed(), old)
	took := poll.Await(t, recovery, "service after the promotion", func() string { return w.serves(t, c) })
	if !strings.Contains(w.a.Logs.String()+w.b.Logs.String(), "writing them back") {
		t.Error("nothing was lost: this tests nothing")
	}
	top.heal(t)
	third := w.start(t)
	for _, token := range over {
		if a := w.introspect(t, third, token); !a.Inactive() {
			t.Errorf("ended token, at a third server that never saw the end: %v", a)
		}
	}
	for _, token := range live {
		if a := w.introspect(t, third, token); !a.Active() {
			t.Errorf("live token, at a third server: %v", a)
		}
	}
	x.stop(t)
	t.Logf("service %v after the promotion", took.Round(time.Millisecond))
}

// noWitness is lostTail without any grantd that knows the revocation. No server
// can tell what was lost, so all earlier tokens are void, and no client gets
// anything until an operator releases what is held back.
func noWitness(t *testing.T, top topology) {
	w := newWorld(t, top, "0")
	c := w.a.NewClient(t, "c", "users:read")
	live, over := w.tokens(t, c, 3), w.tokens(t, c, 3)
	top.replicated(t)
	t.Cleanup(func() { top.heal(t) })
	old := w.lose(t, func() {
		for _, token := range over {
			if a := revoke(t, w.a, c, token); a.Status != 200 {
				t.Fatal(a)
			}
		}
		w.a.Close()
		w.b.Close()
	})
	top.promotion(t, w.feed(), old)
	top.heal(t)
	w.a, w.b = w.start(t), w.start(t)
	if !strings.Contains(w.a.Logs.String(), "every token issued before is void") {
		t.Error("the new server trusted a feed that no server had watched")
	}
	if _, a, err := w.a.TryToken(c.ClientID, c.ClientSecret); err != nil || a.Status != 401 {
		t.Errorf("a client that nobody knows the end of: %v, %v", a, err)
	}
	for _, kind := range []string{"client", "org", "customer", "partner", "grant"} {
		if a := admin(t, w.b, "POST", "/store/release", map[string]any{"kind": kind, "all": true}); a.Status != 204 {
			t.Fatal(a)
		}
	}
	for _, token := range append(over, live...) {
		w.inactive(t, token, "issued before, and nobody watched")
	}
	poll.Await(t, recovery, "service", func() string { return w.serves(t, c) })
}

// lose makes the master of the feed lose what act writes to it, and returns that
// master, which is dead.
func (w *world) lose(t *testing.T, act func()) *redisServer {
	t.Helper()
	old := w.top.master(t, w.feed())
	cut := w.top.replicas(t, w.feed())
	for _, r := range cut {
		r.Cut(t, old)
	}
	act()
	old.Kill()
	for _, r := range cut {
		r.Mend(t)
	}
	return old
}
