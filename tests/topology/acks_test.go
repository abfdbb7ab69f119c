package topology_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// acks tests replica_acks. With auto, voids, revocations and changes of clients
// wait for one replica and tokens do not; with a number, tokens wait too. Without
// a replica, changes are in force and unconfirmed (202), and tokens with a number
// are refused within the time-out. With replicas again, the changes are confirmed by
// themselves.
func acks(t *testing.T, top topology) {
	w := newWorld(t, top, "auto")
	strict := &world{top: top, prefix: w.prefix, acks: "1", rs: w.rs}
	strict.a = strict.start(t)
	c := w.a.NewClient(t, "c", "users:read")
	token := w.a.Token(t, c, "")
	writes := map[string]func(id string) harness.Response{
		"revoke": func(string) harness.Response { return revoke(t, w.a, c, token) },
		"void":   func(id string) harness.Response { return admin(t, w.b, "POST", "/clients/"+id+"/void-tokens", nil) },
		"change": func(id string) harness.Response {
			return admin(t, w.a, "PATCH", "/clients/"+id, map[string]any{"name": time.Now().String()})
		},
		"secret": func(id string) harness.Response {
			return admin(t, w.a, "POST", "/clients/"+id+"/secrets", map[string]any{"grace": "0s"})
		},
		"create": func(string) harness.Response {
			return admin(t, w.a, "POST", "/clients", map[string]any{"scope": "users:read"})
		},
		"issue": func(string) harness.Response { _, a := issue(t, strict.a, c); return a },
	}
	own := map[string]clients.Created{}
	for name := range writes {
		own[name] = w.a.NewClient(t, "client-of-"+name, "users:read")
	}
	each := func(check func(name string, write func() harness.Response)) {
		var done sync.WaitGroup
		for name, write := range writes {
			done.Go(func() { check(name, func() harness.Response { return write(own[name].ClientID) }) })
		}
		done.Wait()
	}
	each(func(name string, write func() harness.Response) {
		if a := write(); a.Status >= 300 {
			t.Errorf("%s with replicas: %v", name, a)
		}
	})
	t.Cleanup(func() { top.heal(t) })
	for _, r := range top.replicas(t, "") {
		r.Pause()
	}
	token = w.a.Token(t, c, "") // with auto, tokens do not wait
	each(func(name string, write func() harness.Response) {
		a := write()
		switch {
		case a.Got.Sub(a.Sent) > longest:
			t.Errorf("%s without a replica: %v", name, a)
		case name == "issue":
			if !a.Unavailable() {
				t.Errorf("issue without a replica: %v, want 503", a)
			}
		case name == "revoke": // RFC 7009 has no other success
			if a.Status != 200 {
				t.Errorf("revoke without a replica: %v, want 200", a)
			}
		case a.Status != 202 || a.JSON(t)["state"] != "unconfirmed":
			t.Errorf("%s without a replica: %v, want 202 and unconfirmed", name, a)
		}
	})
	w.awaitInactive(t, token)
	if fresh, a := issue(t, w.b, c); a.Status != 200 {
		t.Errorf("issue with auto: %v", a)
	} else if a := w.introspect(t, w.a, fresh); !a.Active() {
		t.Errorf("introspect with auto: %v", a)
	}
	top.heal(t)
	each(func(name string, write func() harness.Response) {
		if why := poll.LastReason(recovery, func() string {
			if a := write(); a.Status >= 300 || a.Status == 202 {
				return fmt.Sprint(a)
			}
			return ""
		}); why != "" {
			t.Errorf("%s with the replicas back: %s", name, why)
		}
	})
	w.inactive(t, token, "revoked in the end")
}
