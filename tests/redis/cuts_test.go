package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// way is one way to lose and restore the connection to Redis.
type way struct {
	name         string
	cut, restore func(*harness.Proxy)
}

func set(m harness.Mode) func(*harness.Proxy)  { return func(p *harness.Proxy) { p.Set(m) } }
func turn(m harness.Mode) func(*harness.Proxy) { return func(p *harness.Proxy) { p.Turn(m) } }

var ways = []way{
	{"refused", set(harness.Refusing), set(harness.Passing)},
	{"hanging", set(harness.Hanging), set(harness.Passing)},
	{"hanging forever, new connections pass", set(harness.Hanging), turn(harness.Passing)},
	// Every connection that exists at the cut runs one more command, whose reply
	// is lost; new connections do not get that far.
	{"replies lost", set(harness.Resetting), set(harness.Passing)},
	{"one reply of each connection lost", lostOnce, set(harness.Passing)},
	{"late replies", set(harness.Slow), set(harness.Passing)},
}

func lostOnce(p *harness.Proxy) { p.Set(harness.Resetting); p.Turn(harness.Passing) }

// late holds the Delays of the two links, one shorter and one longer than
// max_staleness. Both are within the time-out of Redis commands, so that the late
// replies are used.
var late = [...]time.Duration{stressStaleness * 3 / 5, stressStaleness * 8 / 5}

// How long the parts of a disturbance take: some are shorter and some longer than
// max_staleness and the time-out of Redis commands (1 s).
const (
	shortestPass = 200 * time.Millisecond
	longestPass  = 1200 * time.Millisecond
	shortestCut  = 100 * time.Millisecond
	longestCut   = 1500 * time.Millisecond
	// stopEvery is the longest time between two stops of Redis.
	stopEvery = 4 * time.Second
)

// cuts disturbs the links between the replicas and Redis at random and
// independently, and stops Redis from time to time.
type cuts struct {
	t     testing.TB
	redis *redistest.Server
	links []*harness.Proxy
	ways  *deck[way]
	// held is locked while Redis is stopped: it will still run what it was sent.
	held sync.RWMutex
	// down and still report whether a replica's link, or Redis, is disturbed now.
	down  [len(late)]atomic.Bool
	still atomic.Bool
	count tally
}

func newCuts(t testing.TB) *cuts {
	c := &cuts{t: t, redis: redistest.Start(t), ways: newDeck(ways)}
	for _, delay := range late {
		link := harness.StartProxy(t, c.redis.Addr)
		link.Delay = delay
		c.links = append(c.links, link)
	}
	return c
}

// run disturbs until ctx ends, and then restores everything.
func (c *cuts) run(ctx context.Context) {
	var all sync.WaitGroup
	for i, link := range c.links {
		all.Go(func() {
			for lasts(ctx, shortestPass, longestPass) {
				w := c.ways.draw()
				c.count.add(w.name)
				c.down[i].Store(true)
				w.cut(link)
				lasts(ctx, shortestCut, longestCut)
				w.restore(link)
				c.down[i].Store(false)
			}
			link.Set(harness.Passing)
		})
	}
	all.Go(func() {
		for lasts(ctx, stopEvery/2, stopEvery) {
			c.count.add("redis stopped")
			c.stop(ctx)
		}
	})
	all.Wait()
}

// off reports whether the replica's way to Redis is disturbed now.
func (c *cuts) off(replica int) bool { return c.down[replica].Load() || c.still.Load() }

// any reports whether one of the replicas is off.
func (c *cuts) any() bool { return c.off(0) || c.off(1) }

// stop stops Redis for a while. Unlike after a hanging link, Redis then runs what
// was sent to it meanwhile, although no caller waits for the replies any more. It
// has run everything sent before a PING once it replies to that.
func (c *cuts) stop(ctx context.Context) {
	c.held.Lock()
	defer c.held.Unlock()
	c.ping()
	c.still.Store(true)
	c.redis.Pause()
	lasts(ctx, shortestCut, longestCut)
	c.redis.Resume()
	c.still.Store(false)
	c.ping()
}

func (c *cuts) ping() {
	if _, err := c.redis.Do("PING"); err != nil {
		c.t.Errorf("redis: %v", err)
	}
}

// lasts waits for a random time between the two, and returns false if ctx ended
// it.
func lasts(ctx context.Context, shortest, longest time.Duration) bool {
	select {
	case <-time.After(shortest + rand.N(longest-shortest)):
		return true
	case <-ctx.Done():
		return false
	}
}

// deck deals its cards in random order, all equally often. It is safe for
// concurrent use.
type deck[T any] struct {
	mu        sync.Mutex
	all, left []T
}

func newDeck[T any](all []T) *deck[T] { return &deck[T]{all: all} }

func (d *deck[T]) draw() T {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.left) == 0 {
		for _, i := range rand.Perm(len(d.all)) {
			d.left = append(d.left, d.all[i])
		}
	}
	card := d.left[0]
	d.left = d.left[1:]
	return card
}

// tally counts by name. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *tally) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
}

// missing describes what was counted less often than least demands, or returns "".
func (c *tally) missing(least map[string]int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for name, n := range least {
		if c.n[name] < n {
			fmt.Fprintf(&b, "; %s: %d times, want %d at least", name, c.n[name], n)
		}
	}
	return b.String()
}

// report logs all counts, and fails the test if something was counted less often
// than least demands.
func (c *tally) report(t testing.TB, least map[string]int) {
	t.Helper()
	t.Log(c.n) // sorted by name; counting has ended, so no lock is needed
	if why := c.missing(least); why != "" {
		t.Error("too little was tested" + why)
	}
}
