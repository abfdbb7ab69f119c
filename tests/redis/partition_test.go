package redis_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// TestCutOffReplica checks that a replica that cannot reach Redis returns nothing
// wrong. A token that was revoked at the other replica is active for at most
// max_staleness, counted from the acknowledgement to the next question. A live
// token is active or gets 503, and is never inactive. Full service returns with
// Redis.
func TestCutOffReplica(t *testing.T) {
	for _, way := range []struct {
		name    string
		mode    harness.Mode
		restore func(*harness.Proxy)
	}{
		{"refused", harness.Refusing, func(p *harness.Proxy) { p.Set(harness.Passing) }},
		{"hanging, then broken", harness.Hanging, func(p *harness.Proxy) { p.Set(harness.Passing) }},
		{"hanging forever, new connections pass", harness.Hanging, func(p *harness.Proxy) { p.Turn(harness.Passing) }},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t).Addr
			link := harness.StartProxy(t, redis)
			cut := &cutOff{mode: way.mode, link: link, restore: way.restore, whole: start(t, redis), cut: start(t, link.Addr)}
			cut.rs = create(t, cut.whole, "rs", "introspect")
			cut.c = create(t, cut.whole, "c", "users:read")
			for i := range 2 {
				t.Run(fmt.Sprintf("time %d", i+1), cut.run)
			}
		})
	}
}

type cutOff struct {
	mode    harness.Mode
	link    *harness.Proxy
	restore func(*harness.Proxy)
	whole   *harness.Server
	cut     *harness.Server
	rs, c   clients.Created
}

func (x *cutOff) run(t *testing.T) {
	token := func() string { return x.whole.Token(t, x.c, "") }
	ended := map[string]string{"cached": token(), "not cached": token(), "issued here": x.cut.Token(t, x.c, "")}
	live := map[string]string{"cached": token(), "not cached": token()}
	mustBeActive(t, x.cut, x.rs, ended["cached"], "before the cut")
	mustBeActive(t, x.cut, x.rs, live["cached"], "before the cut")

	x.link.Set(x.mode)
	acks := map[string]*atomic.Pointer[time.Time]{}
	end := time.Now().Add(2*staleness + staleness/2)
	var polls sync.WaitGroup
	for name, token := range ended {
		acked := &atomic.Pointer[time.Time]{}
		acks[name] = acked
		polls.Go(func() {
			for ; time.Now().Before(end); time.Sleep(pause) {
				a := introspect(t, x.cut, x.rs, token)
				ack := acked.Load()
				switch {
				case a.Inactive() || a.Unavailable():
				case !a.Active():
					t.Errorf("a revoked token, %s: %v", name, a)
					return
				case ack != nil && a.Sent.After(ack.Add(staleness)):
					t.Errorf("a revoked token, %s, is active %v after the acknowledgement", name, a.Sent.Sub(*ack))
					return
				}
			}
		})
	}
	for name, token := range live {
		polls.Go(func() {
			for ; time.Now().Before(end); time.Sleep(pause) {
				if a := introspect(t, x.cut, x.rs, token); !a.Active() && !a.Unavailable() {
					t.Errorf("a live token, %s: %v", name, a)
					return
				}
			}
		})
	}
	polls.Go(func() {
		for ; time.Now().Before(end); time.Sleep(pause) {
			if _, a, err := issue(x.cut, x.c.ClientID, x.c.ClientSecret); err != nil || a.Status != 200 && !a.Unavailable() {
				t.Errorf("issuing: %v %v", a, err)
				return
			}
		}
	})
	for name, token := range ended {
		at := revoke(t, x.whole, x.c, token)
		acks[name].Store(&at)
	}
	polls.Wait()
	if a := introspect(t, x.cut, x.rs, live["cached"]); !a.Unavailable() {
		t.Errorf("long after the cut: %v, want 503", a)
	}
	if why := ready(t, x.cut)(); why == "" {
		t.Error("readyz returns 200 without a store")
	}
	x.restored(t, ended, live)
}

// restored restores the link and checks that everything is right within recovery
// and stays so.
func (x *cutOff) restored(t *testing.T, ended, live map[string]string) {
	t.Helper()
	back := time.Now()
	x.restore(x.link)
	poll.Await(t, recovery, "full service after the cut", func() string {
		if _, a, err := issue(x.cut, x.c.ClientID, x.c.ClientSecret); err != nil || a.Status != 200 {
			return fmt.Sprint("issuing: ", a, err)
		}
		for name, token := range live {
			a := introspect(t, x.cut, x.rs, token)
			if a.Status == 200 && !a.Active() {
				t.Fatalf("a live token, %s: %v", name, a)
			}
			if !a.Active() {
				return fmt.Sprint("a live token, ", name, ": ", a)
			}
		}
		return ready(t, x.cut)()
	})
	t.Logf("full service after %v", time.Since(back).Round(time.Millisecond))
	for range 20 {
		for name, token := range ended {
			mustBeInactive(t, x.cut, x.rs, token, "a revoked token after the cut, "+name)
		}
		for name, token := range live {
			mustBeActive(t, x.cut, x.rs, token, "a live token after the cut, "+name)
		}
		mustBeActive(t, x.whole, x.rs, x.cut.Token(t, x.c, ""), "a token issued after the cut")
	}
}

// TestCutOffReplicaTakesNoChange checks that a replica does not acknowledge a
// change that it cannot announce.
func TestCutOffReplicaTakesNoChange(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).Addr
	link := harness.StartProxy(t, redis)
	whole, cut := start(t, redis), start(t, link.Addr)
	rs := create(t, whole, "rs", "introspect")
	c := create(t, whole, "c", "users:read")
	token := whole.Token(t, c, "")
	mustBeActive(t, cut, rs, token, "before the cut")
	link.Set(harness.Refusing)
	for _, r := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/clients/c/void-tokens", nil},
		{"POST", "/clients/c/deactivate", nil},
		{"POST", "/clients/c/secrets", map[string]any{"grace": "0s"}},
		{"DELETE", "/clients/c/secrets/" + c.SecretID, nil},
		{"DELETE", "/clients/c", nil},
		{"PATCH", "/clients/c", map[string]any{"scope": "users:write"}},
		{"POST", "/tokens/revoke", map[string]any{"token": token}},
		{"POST", "/clients", map[string]any{"client_id": "d", "scope": "users:read"}},
	} {
		if a, err := cut.TryAdmin(r.method, r.path, r.body); err != nil || !a.Unavailable() {
			t.Errorf("%s %s: %v %v, want 503", r.method, r.path, a, err)
		}
	}
	mustBeActive(t, whole, rs, token, "nothing was acknowledged, and nothing reached Redis")
	mustBeActive(t, whole, rs, whole.Token(t, c, ""), "a new token")
}
