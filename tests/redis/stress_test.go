package redis_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

const (
	stableFor   = 3 * time.Second
	cutsFor     = 8 * time.Second
	stressSpare = 4 * time.Second // more time if a busy machine has tested too little
	// stressStaleness is short so that more admin calls fit into the time.
	stressStaleness = 500 * time.Millisecond
)

// stress runs all operations concurrently on both replicas, and checks every
// response against the model.
type stress struct {
	t          testing.TB
	servers    []*harness.Server
	rs         clients.Created
	models     []*model
	cuts       *cuts // nil if nothing is disturbed
	operations *deck[operation]
	crowd      int
	// calm is since when no request may get 503; nil means not yet.
	calm     atomic.Pointer[time.Time]
	verdicts tally
	ops      tally
	least    map[string]int // of ops
}

// leastVerdicts must be counted before the last questions.
var leastVerdicts = map[string]int{mustLive.String(): 30, mustDie.String(): 30}

// TestStable checks that in a stable system every ended token is inactive in
// time, every other token is active, and no request is refused.
func TestStable(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	redis := redistest.Start(t).Addr
	s := newStress(t, 4, 1, redis, redis)
	s.calm.Store(new(time.Now()))
	s.run(stableFor)
}

// TestUnderCuts disturbs the connections between the replicas and Redis. A
// request may then get 503, and its outcome is unknown; every other response is
// as right as in a stable system. After the last disturbance everything that is
// known holds at both replicas.
func TestUnderCuts(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	x := newCuts(t)
	s := newStress(t, 8, 4, x.links[0].Addr, x.links[1].Addr) // most callers wait for time-outs
	s.cuts = x
	maps.Copy(s.least, map[string]int{
		"503 to issue": 10, "503 to introspect": 20, "503 to revoke": 10, "change of unknown outcome": 5,
		"change acknowledged during a cut": 5, "revocation acknowledged during a cut": 10,
	})
	s.run(cutsFor)
	least := map[string]int{"redis stopped": 1}
	for _, w := range ways {
		least[w.name] = 1
	}
	x.count.report(t, least)
}

// newStress starts a replica on each address. Each of the clients is used by
// crowd callers of each kind at the same time.
func newStress(t testing.TB, many, crowd int, addrs ...string) *stress {
	s := &stress{t: t, crowd: crowd, operations: newDeck(operations), least: map[string]int{"issue": 30, "revoke": 20, "revoke by admin": 1}}
	for _, o := range operations {
		s.least[o.name] = 1
	}
	for _, addr := range addrs {
		s.servers = append(s.servers, harness.Start(t, harness.Options{Edit: func(c *config.Config) {
			harness.OnRedis(addr)(c)
			c.Cache.MaxStaleness = stressStaleness
			c.Log.Level = "error"
		}}))
	}
	s.rs = create(t, s.servers[0], "rs", "introspect")
	for i := range many {
		c := create(t, s.any(), fmt.Sprintf("c%d", i), "users:read users:write")
		s.models = append(s.models, &model{
			staleness: stressStaleness, id: c.ClientID,
			secrets: map[string][]*event{}, usable: []string{c.ClientSecret},
		})
	}
	return s
}

// run runs all callers for that long, and then asks about everything.
func (s *stress) run(d time.Duration) {
	over, end := context.WithCancel(s.t.Context())
	defer end()
	var all sync.WaitGroup
	all.Go(func() { defer end(); s.enough(d) })
	if s.cuts != nil {
		all.Go(func() {
			s.cuts.run(over)
			s.calm.Store(new(time.Now().Add(recovery)))
		})
	}
	loop := func(m *model, do func(*model)) {
		for over.Err() == nil && !s.t.Failed() {
			do(m)
		}
	}
	for _, m := range s.models {
		all.Go(func() { loop(m, s.operate) })
		for range s.crowd {
			all.Go(func() { loop(m, s.issue) })
			all.Go(func() { loop(m, s.check) })
			all.Go(func() { loop(m, s.revoke) })
		}
	}
	all.Wait()
	if s.t.Failed() {
		s.faults()
		s.t.FailNow() // callers stopped in the middle: the rest would fail only because of that
	}
	for _, server := range s.servers {
		poll.Await(s.t, recovery, "readiness", ready(s.t, server))
	}
	for _, m := range s.models {
		all.Go(func() { s.last(m) })
	}
	all.Wait()
	s.ops.report(s.t, s.least)
	s.verdicts.report(s.t, leastVerdicts)
}

// enough waits until the time has passed and enough was tested, or the test has
// failed, or the spare time has passed too.
func (s *stress) enough(d time.Duration) {
	for begun := time.Now(); !s.t.Failed() && time.Since(begun) < d+stressSpare; time.Sleep(pause) {
		if time.Since(begun) > d && s.ops.missing(s.least) == "" && s.verdicts.missing(leastVerdicts) == "" {
			return
		}
	}
}

// last asks both replicas about everything that is known about a client, after
// all changes have ended.
func (s *stress) last(m *model) {
	for _, server := range s.servers {
		for _, secret := range m.usable {
			s.until(func() bool { return s.tryIssue(m, server, secret, 200, m.changes) })
		}
		for _, secret := range m.refused {
			s.until(func() bool { return s.tryIssue(m, server, secret, 401, m.changes) })
		}
	}
	for _, server := range s.servers {
		for _, tok := range m.tokens {
			s.until(func() bool { return s.ask(m, tok, server) })
		}
	}
}

// faults shows why replicas returned 500.
func (s *stress) faults() {
	for i, server := range s.servers {
		for line := range strings.Lines(server.Logs.String()) {
			if strings.Contains(line, `"status":500`) {
				s.t.Logf("replica %d: %s", i, line)
			}
		}
	}
}

func (s *stress) any() *harness.Server { return s.servers[rand.IntN(len(s.servers))] }

// until repeats do until it returns true. It ends, because after the cuts
// answered fails the test instead of returning false.
func (s *stress) until(do func() bool) {
	for !do() && !s.t.Failed() {
		time.Sleep(pause)
	}
}

// answered reports whether the response has one of the wanted statuses. Any other
// response fails the test, except a 503 before the calm.
func (s *stress) answered(what string, a harness.Response, err error, want ...int) bool {
	if err == nil && slices.Contains(want, a.Status) {
		return true
	}
	calm := s.calm.Load()
	if err != nil || !a.Unavailable() || calm != nil && a.Sent.After(*calm) {
		s.t.Errorf("%s at %s: %v %v, want %v", what, at(a.Sent), a, err, want)
		return false
	}
	s.ops.add("503 to " + what)
	return false
}

// acknowledged counts an acknowledged request, and separately one that was
// acknowledged during a cut.
func (s *stress) acknowledged(kind, what string) {
	s.ops.add(what)
	if s.cuts != nil && s.cuts.any() {
		s.ops.add(kind + " acknowledged during a cut")
	}
}

// unknown notes that the outcome of the event is unknown, and while Redis is
// stopped, that it may still happen.
func (s *stress) unknown(m *model, e *event) {
	if s.cuts != nil {
		s.cuts.held.RLock()
		defer s.cuts.held.RUnlock()
	}
	m.unknown(e)
}
