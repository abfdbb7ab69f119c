package redisstore_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/poll"
)

// told collects what a store tells about its replicas.
type told struct {
	mu          sync.Mutex
	unconfirmed []bool
	replicas    int
	looks       int
	log         bytes.Buffer
}

func (to *told) options(o *redisstore.Options) {
	o.Acks = redisstore.Acks{Critical: 1, Timeout: 100 * time.Millisecond}
	o.OnUnconfirmed = func(is bool) { to.mu.Lock(); defer to.mu.Unlock(); to.unconfirmed = append(to.unconfirmed, is) }
	o.OnReplicas = func(n int) { to.mu.Lock(); defer to.mu.Unlock(); to.replicas = n; to.looks++ }
	o.Log = slog.New(slog.NewTextHandler(to, nil))
}

func (to *told) Write(b []byte) (int, error) {
	to.mu.Lock()
	defer to.mu.Unlock()
	return to.log.Write(b)
}

// awaitLooks waits until the store has looked at the masters n times from now on.
func (to *told) awaitLooks(t *testing.T, n int) {
	t.Helper()
	looks := func() int { to.mu.Lock(); defer to.mu.Unlock(); return to.looks }
	n += looks()
	poll.AwaitTrue(t, patience, "the store looks at its masters", func() bool { return looks() >= n })
}

func (to *told) logged() string {
	to.mu.Lock()
	defer to.mu.Unlock()
	return to.log.String()
}

// replicaOf starts a replica of the master.
func replicaOf(t *testing.T, master *redistest.Server) *redistest.Server {
	t.Helper()
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return redistest.Start(t, "--replicaof", host, port)
}

// TestConfirmedByItself checks that a change without a replica succeeds and is
// unconfirmed, that the missing replica is reported before any change, and that
// the change is confirmed once a replica has it.
func TestConfirmedByItself(t *testing.T) {
	t.Parallel()
	const wait = time.Second // for an acknowledgement: far longer than the changes themselves take
	master, said := redistest.Start(t, "--repl-diskless-sync-delay", "0"), &told{}
	s := open(t, master.Addr, said.options, func(o *redisstore.Options) { o.Acks.Timeout = wait })
	if !strings.Contains(said.logged(), "fewer replicas") {
		t.Errorf("no warning at the start: %s", said.logged())
	}
	if s.Unconfirmed() {
		t.Error("unconfirmed before anything was changed")
	}
	began := time.Now()
	if err := s.Clients().Create(within(t), store.Client{ID: "c"}); err != nil || !s.Unconfirmed() {
		t.Fatalf("%v, unconfirmed %t, want success and unconfirmed", err, s.Unconfirmed())
	}
	const changes = 20 // a call that changes much does not wait for each change
	for range changes {
		appended(t, s, void("a"))
	}
	if took := time.Since(began); took > changes*wait/2 {
		t.Errorf("%d changes took %v, with a wait of %v for one", changes, took, wait)
	}
	said.awaitLooks(t, 2)
	if !s.Unconfirmed() {
		t.Fatal("confirmed without a replica")
	}
	replicaOf(t, master)
	poll.AwaitTrue(t, patience, "the changes are confirmed", func() bool { return !s.Unconfirmed() })
	if err := s.Clients().Delete(within(t), "c", 1); err != nil || s.Unconfirmed() {
		t.Errorf("%v, unconfirmed %t, want a change that is confirmed at once", err, s.Unconfirmed())
	}
	said.mu.Lock()
	defer said.mu.Unlock()
	if u := said.unconfirmed; len(u) != 2 || !u[0] || u[1] || said.replicas != 1 {
		t.Errorf("told %v and %d replicas, want true, false and 1", u, said.replicas)
	}
	for _, want := range []string{"have every change again", "has its replicas again"} {
		if !strings.Contains(said.log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, said.log.String())
		}
	}
}

// TestUnconfirmedIsLost checks that a change whose master came back without it
// does not count as confirmed.
func TestUnconfirmedIsLost(t *testing.T) {
	t.Parallel()
	master, said := redistest.Start(t), &told{}
	s := open(t, master.Addr, said.options)
	appended(t, s, void("a"))
	master.Stop()
	master.Restart()
	poll.AwaitTrue(t, patience, "the loss is noticed", func() bool {
		return !s.Unconfirmed() && strings.Contains(said.logged(), "they may be lost")
	})
	if strings.Contains(said.logged(), "every change again") {
		t.Error("it counts as confirmed")
	}
	if err := s.PutChallenge(within(t), store.Digest{1}, store.Challenge{Tries: 5, ExpiresAt: time.Now().Add(time.Hour)}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a challenge without a replica: %v", err)
	}
}
