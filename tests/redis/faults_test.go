package redis_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// fault is one way in which Redis is unusable.
type fault struct {
	name       string
	begin, end func(t *testing.T, x *world)
	// readable means that only writes fail.
	readable bool
	// full means that what ends things works.
	full bool
	// cause is the word that operators get for it.
	cause string
}

// readiness returns the path that is 503 during the fault. If Redis can be read,
// that is only the capability to issue: no other process could do it either.
func (f fault) readiness() string {
	if f.readable {
		return "/readyz?for=issue"
	}
	return "/readyz"
}

func mode(m harness.Mode) func(*testing.T, *world) {
	return func(_ *testing.T, x *world) { x.link.Set(m) }
}

func reply(text string) func(*testing.T, *world) {
	return func(_ *testing.T, x *world) {
		x.link.Reply = "-" + text + "\r\n"
		x.link.Set(harness.Replying)
	}
}

func commands(lines ...string) func(*testing.T, *world) {
	return func(t *testing.T, x *world) {
		for _, line := range lines {
			x.redis.Do(t, strings.Fields(line)...)
		}
	}
}

// nobody makes Redis a replica of a port where no master listens.
const nobody = "REPLICAOF 127.0.0.1 1"

var faults = []fault{
	{name: "unreachable", cause: "store_unreachable", begin: mode(harness.Refusing), end: mode(harness.Passing)},
	{name: "hanging", cause: "store_timeout", begin: mode(harness.Hanging), end: mode(harness.Passing)},
	{name: "half-open", cause: "store_timeout", begin: mode(harness.Hanging), end: func(_ *testing.T, x *world) { x.link.Turn(harness.Passing) }},
	{
		name: "slow beyond time-outs", cause: "store_timeout",
		begin: func(_ *testing.T, x *world) {
			x.link.Delay = 3 * time.Second
			x.link.Set(harness.Slow)
		},
		end: mode(harness.Passing),
	},
	{name: "reset in the middle of a reply", cause: "store_unreachable", begin: mode(harness.Resetting), end: mode(harness.Passing)},
	{name: "loading", cause: "store_loading", begin: reply("LOADING Redis is loading the dataset in memory"), end: mode(harness.Passing)},
	{name: "asking for a password", cause: "store_login", begin: reply("NOAUTH Authentication required."), end: mode(harness.Passing)},
	{name: "too many clients", cause: "store_busy", begin: reply("ERR max number of clients reached"), end: mode(harness.Passing)},
	{name: "busy in a script", cause: "store_busy", begin: reply("BUSY Redis is busy running a script."), end: mode(harness.Passing)},
	{name: "a replica", cause: "store_read_only", begin: commands(nobody), end: commands("REPLICAOF NO ONE")},
	{
		name: "a replica without its master", cause: "store_read_only",
		begin: commands("CONFIG SET replica-serve-stale-data no", nobody),
		end:   commands("REPLICAOF NO ONE"),
	},
	{name: "full", cause: "store_full", begin: commands("CONFIG SET maxmemory 1"), end: commands("CONFIG SET maxmemory 0"), readable: true, full: true},
}

func TestFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			x := newWorld(t)
			f.begin(t, x)
			f.sets(t, x)
			f.lasts(t, x)
			back := time.Now()
			f.end(t, x)
			x.recovers(t)
			t.Logf("full service after %v", time.Since(back).Round(time.Millisecond))
		})
	}
}

// sets begins the fault. From the first moment no response is wrong, and soon
// every response that needs Redis is 503.
func (f fault) sets(t *testing.T, x *world) {
	t.Helper()
	poll.Await(t, patience, "the fault is noticed", func() string {
		x.stays(t, x.live[0], "cached")
		x.stays(t, x.live[1], "not cached")
		if a := x.issue(t, x.c.ClientSecret); a.Status != 200 && a.NotUnavailable() != "" {
			t.Fatalf("issuing: %v", a)
		}
		if a := x.get(t, f.readiness()); a.Status != 503 || !strings.Contains(a.Body, f.cause) {
			return a.String()
		}
		if a := x.introspect(t, x.live[0]); !f.readable && a.NotUnavailable() != "" {
			return a.String()
		}
		return ""
	})
}

// lasts sends many requests at the same time during the fault, and checks that
// each gets the right response in time.
func (f fault) lasts(t *testing.T, x *world) {
	t.Helper()
	const each = 4
	var all sync.WaitGroup
	down := func(what string, ask func() harness.Response) {
		for range each {
			all.Go(func() {
				if a := ask(); a.NotUnavailable() != "" {
					t.Errorf("%s: %v: %s", what, a, a.NotUnavailable())
				}
			})
		}
	}
	// lenient also allows the usual response, for faults during which Redis can
	// still be read.
	lenient := func(what string, ask func() harness.Response) {
		for range each {
			all.Go(func() {
				if a := ask(); a.Status != 200 && a.NotUnavailable() != "" {
					t.Errorf("%s: %v", what, a)
				}
			})
		}
	}
	reads := down
	if f.readable {
		reads = lenient
	}
	down("issuing", func() harness.Response { return x.issue(t, x.c.ClientSecret) })
	if !f.readable { // if the secret can be read, the response is 401
		down("issuing with a wrong secret", func() harness.Response { return x.issue(t, "wrong") })
	}
	down("creating a client", func() harness.Response {
		a := x.admin(t, "POST", "/clients", map[string]any{"client_id": x.newID(), "scope": "users:read"})
		if !strings.Contains(a.Body, `"cause":"`+f.cause+`"`) {
			t.Errorf("creating a client: %v, want the cause %s", a, f.cause)
		}
		return a
	})
	if !f.full { // TestFullRedis has them: they work
		down("revoking", func() harness.Response { return x.revoke(t, x.live[2]) })
		down("voiding", func() harness.Response { return x.admin(t, "POST", "/clients/c/void-tokens", nil) })
		down("voiding all", func() harness.Response { return x.admin(t, "POST", "/tokens/void-all", nil) })
		down("rotating", func() harness.Response {
			return x.admin(t, "POST", "/clients/c/secrets", map[string]any{"grace": "0s"})
		})
		down("reporting a leak", func() harness.Response { return x.admin(t, "POST", "/leaks", map[string]any{"credential": x.live[0]}) })
	}
	lenient("showing a client", func() harness.Response { return x.admin(t, "GET", "/clients/c", nil) })
	reads("explaining", func() harness.Response {
		return x.admin(t, "POST", "/tokens/explain", map[string]any{"token": x.live[1]})
	})
	for _, token := range x.live {
		reads("introspecting", func() harness.Response { return x.stays(t, token, "in the fault") })
	}
	for range each {
		all.Go(func() {
			if a := x.introspect(t, "made-up-0123456789"); !a.Inactive() && a.NotUnavailable() != "" {
				t.Errorf("garbage: %v", a)
			}
		})
		all.Go(func() {
			if a := x.get(t, "/healthz"); a.Status != 200 {
				t.Errorf("healthz: %v", a)
			}
			if a := x.get(t, f.readiness()); a.Status != 503 || a.Header.Get("Retry-After") == "" || !strings.Contains(a.Body, `"reason":"the `) {
				t.Errorf("readyz: %v", a)
			}
		})
	}
	all.Wait()
}

// recovers checks that full service returns, with every change that was
// acknowledged and none that was refused.
func (x *world) recovers(t *testing.T) {
	t.Helper()
	poll.Await(t, recovery, "full service", func() string {
		for _, token := range x.live {
			if a := x.stays(t, token, "after the fault"); !a.Active() {
				return "introspecting: " + a.String()
			}
		}
		for what, a := range map[string]harness.Response{
			"readyz":            x.get(t, "/readyz"),
			"issuing":           x.issue(t, x.c.ClientSecret),
			"creating a client": x.admin(t, "POST", "/clients", map[string]any{"client_id": x.newID(), "scope": "users:read"}),
		} {
			if a.Status/100 != 2 {
				return what + ": " + a.String()
			}
		}
		return ""
	})
	fresh := x.s.Token(t, x.c, "")
	if a := x.introspect(t, fresh); !a.Active() {
		t.Errorf("a token issued after the fault: %v", a)
	}
	if a := x.revoke(t, fresh); a.Status != 200 {
		t.Errorf("revoking after the fault: %v", a)
	}
	if a := x.introspect(t, fresh); !a.Inactive() {
		t.Errorf("a token revoked after the fault: %v", a)
	}
}

// grantd waits for a Redis that is slow but within the time-outs.
func TestSlow(t *testing.T) {
	t.Parallel()
	x := newWorld(t)
	x.link.Delay = 50 * time.Millisecond
	x.link.Set(harness.Slow)
	for range 5 {
		if a := x.issue(t, x.c.ClientSecret); a.Status != 200 {
			t.Errorf("issuing: %v", a)
		}
		if a := x.introspect(t, x.live[1]); !a.Active() {
			t.Errorf("introspecting: %v", a)
		}
	}
	if a := x.get(t, "/readyz"); a.Status != 200 {
		t.Errorf("readyz: %v", a)
	}
}
