package crash_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

const (
	rounds  = 5
	workers = 6
	// opsBeforeKill is about how many acknowledgements a round waits for before
	// the kill.
	opsBeforeKill = 150
)

// state is what must hold for a token or a secret.
type state int

const (
	unknown state = iota // a change was running when grantd was killed
	live
	ended
)

// books is what one worker knows. No other worker uses its clients.
type books struct {
	worker  int
	made    int
	clients []*owned
}

type owned struct {
	client
	current state // of the client's newest secret
	old     map[string]state
	tokens  map[string]state
}

// TestKilledUnderLoad checks that every client, secret, token and revocation that
// was acknowledged is there after a kill -9 in the middle of work.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	all := make([]*books, workers)
	for i := range all {
		all[i] = &books{worker: i}
	}
	rs := client{ID: "rs", Scope: "introspect"}
	p := serve(t, f, "g")
	if err := rs.create(p); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		var acked atomic.Int64
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			atOnce(workers, func(i int) {
				for all[i].work(t, p) {
					acked.Add(1)
				}
			})
		}()
		want := int64(opsBeforeKill + rand.IntN(opsBeforeKill))
		for end := time.Now().Add(patience); acked.Load() < want && time.Now().Before(end) && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		p.kill()
		<-stop
		if code := p.wait(t); code != -1 {
			t.Fatalf("grantd ended by itself, with exit code %d\n%s", code, p.stderr.String())
		}
		if acked.Load() < want {
			t.Fatalf("round %d: only %d acknowledgements", round, acked.Load())
		}
		p = serve(t, f, "g")
		atOnce(workers, func(i int) { all[i].check(t, p, &rs) })
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
	var clients, tokens, secrets int
	for _, b := range all {
		for _, o := range b.clients {
			clients, tokens, secrets = clients+1, tokens+len(o.tokens), secrets+len(o.old)+1
		}
	}
	t.Logf("%d clients, %d secrets, %d tokens over %d kills", clients, secrets, tokens, rounds)
}

// work runs one random operation, and returns false if grantd does not respond.
func (b *books) work(t *testing.T, p *process) bool {
	if len(b.clients) == 0 || rand.IntN(12) == 0 {
		return b.done(t, "create", b.create(p))
	}
	o := b.clients[rand.IntN(len(b.clients))]
	if o.current != live {
		o = b.clients[len(b.clients)-1]
	}
	if o.current != live {
		return b.done(t, "create", b.create(p))
	}
	switch rand.IntN(10) {
	case 0:
		return b.done(t, "rotate", o.rotateNow(p))
	case 1:
		return b.done(t, "void", o.void(p))
	case 2, 3, 4:
		return b.done(t, "revoke", o.revokeOne(p))
	}
	token, _, err := o.issue(p, o.Secret)
	if err == nil {
		o.tokens[token] = live
	}
	return b.done(t, "issue", err)
}

// done reports whether to go on. A refusal is a defect; any other error means
// that grantd was killed.
func (b *books) done(t *testing.T, what string, err error) bool {
	var r refusal
	if errors.As(err, &r) {
		t.Errorf("%s: %v", what, err)
	}
	return err == nil
}

func (b *books) create(p *process) error {
	b.made++
	o := &owned{
		client:  client{ID: fmt.Sprintf("c%d-%d", b.worker, b.made), Scope: "users:read"},
		current: live, old: map[string]state{}, tokens: map[string]state{},
	}
	err := o.client.create(p)
	if err == nil {
		b.clients = append(b.clients, o)
	}
	return err
}

func (o *owned) rotateNow(p *process) error {
	grace := "0s"
	if rand.IntN(2) == 0 && len(o.old) < 3 {
		grace = "1h"
	}
	was := o.old
	o.current, o.old = unknown, map[string]state{} // until it is acknowledged
	old, err := o.client.rotate(p, grace)
	if err != nil {
		return err
	}
	o.current, o.old = live, was
	if grace == "1h" {
		o.old[old] = live
		return nil
	}
	o.old[old] = ended
	for secret := range o.old {
		o.old[secret] = ended
	}
	return nil
}

func (o *owned) void(p *process) error {
	o.all(live, unknown)
	err := change(p, "POST", "/clients/"+o.ID+"/void-tokens", nil, nil)
	if err == nil {
		o.all(unknown, ended)
	}
	return err
}

// all moves every token from one state to another.
func (o *owned) all(from, to state) {
	for token, s := range o.tokens {
		if s == from {
			o.tokens[token] = to
		}
	}
}

func (o *owned) revokeOne(p *process) error {
	for token, s := range o.tokens {
		if s != live {
			continue
		}
		o.tokens[token] = unknown
		err := o.revoke(p, token)
		if err == nil {
			o.tokens[token] = ended
		}
		return err
	}
	return nil
}

// check checks everything that is known.
func (b *books) check(t *testing.T, p *process, rs *client) {
	for _, o := range b.clients {
		for token, want := range o.tokens {
			if want == unknown {
				continue
			}
			active, err := rs.introspect(p, token)
			if err != nil || active != (want == live) {
				t.Errorf("a token of %s: active %v, %v; want %v", o.ID, active, err, want == live)
			}
		}
		o.checkSecret(t, p, o.Secret, o.current)
		for secret, want := range o.old {
			o.checkSecret(t, p, secret, want)
		}
	}
}

func (o *owned) checkSecret(t *testing.T, p *process, secret string, want state) {
	if want == unknown {
		return
	}
	token, status, err := o.issue(p, secret)
	if (err == nil) != (want == live) || want == ended && status != 401 {
		t.Errorf("a secret of %s: %d %v; want it live: %v", o.ID, status, err, want == live)
	}
	if token != "" {
		o.tokens[token] = live
	}
}
