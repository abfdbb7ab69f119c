package topology_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/poll"
)

// acks: replica_acks auto means that voids, revocations and changes of clients
// wait for one replica, and tokens do not; a number means that tokens wait
// too. Without a replica it is 503 within the time-out, and afterwards done.
func acks(t *testing.T, top topology) {
	w := newWorld(t, top, "auto")
	strict := &world{top: top, prefix: w.prefix, acks: "1", rs: w.rs}
	strict.a = strict.start(t)
	c := w.a.NewClient(t, "c", "users:read")
	token := w.a.Token(t, c, "")
	writes := map[string]func(id string) answer{
		"revoke": func(string) answer { return revoke(t, w.a, c, token) },
		"void":   func(id string) answer { return admin(t, w.b, "POST", "/clients/"+id+"/void-tokens", nil) },
		"change": func(id string) answer {
			return admin(t, w.a, "PATCH", "/clients/"+id, map[string]any{"name": time.Now().String()})
		},
		"secret": func(id string) answer {
			return admin(t, w.a, "POST", "/clients/"+id+"/secrets", map[string]any{"grace": "0s"})
		},
		"create": func(string) answer { return admin(t, w.a, "POST", "/clients", map[string]any{"scope": "users:read"}) },
		"issue":  func(string) answer { _, a := issue(t, strict.a, c); return a },
	}
	own := map[string]clients.Created{}
	for name := range writes {
		own[name] = w.a.NewClient(t, "client-of-"+name, "users:read")
	}
	each := func(check func(name string, write func() answer)) {
		var done sync.WaitGroup
		for name, write := range writes {
			done.Go(func() { check(name, func() answer { return write(own[name].ClientID) }) })
		}
		done.Wait()
	}
	each(func(name string, write func() answer) {
		if a := write(); a.status >= 300 {
			t.Errorf("%s with replicas: %v", name, a)
		}
	})
	t.Cleanup(func() { top.heal(t) })
	for _, r := range top.replicas(t, "") {
		r.Pause()
	}
	token = w.a.Token(t, c, "") // auto: tokens do not wait
	each(func(name string, write func() answer) {
		if a := write(); !a.down() || a.got.Sub(a.sent) > longest {
			t.Errorf("%s without a replica: %v after %v, want 503", name, a, a.got.Sub(a.sent))
		}
	})
	if fresh, a := issue(t, w.b, c); a.status != 200 {
		t.Errorf("issue with auto: %v", a)
	} else if a := w.introspect(t, w.a, fresh); !a.active() {
		t.Errorf("introspect with auto: %v", a)
	}
	top.heal(t)
	each(func(name string, write func() answer) {
		if why := poll.LastReason(recovery, func() string {
			if a := write(); a.status >= 300 {
				return fmt.Sprint(a)
			}
			return ""
		}); why != "" {
			t.Errorf("%s with the replicas back: %s", name, why)
		}
	})
	w.inactive(t, token, "revoked in the end")
}
