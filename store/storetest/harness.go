// Package storetest is the one contract suite that every store passes
// whole: each sentence of store's role interfaces is a subtest, and there
// are no opt-outs. It also holds Faulty, a store that fails on request, for
// the tests of everything that uses one.
//
// It does not know any implementation: an implementation's test hands it a
// Harness.
package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

// AuditRetention is the retention that a harness opens its stores with.
const AuditRetention = 30 * 24 * time.Hour

// trimSlack is how many records a store may keep beyond their retention: a
// Redis stream is trimmed by whole nodes, of 100 entries each.
const trimSlack = 100

// Harness makes stores for the suite.
type Harness struct {
	// New opens an empty store and closes it with t.Cleanup. The subtests that
	// call it are parallel.
	New func(t *testing.T) Opened
}

// Opened is an empty store and what a test does to it.
type Opened struct {
	Store store.Store
	// Now is the clock that the store was opened with.
	Now func() time.Time
	// Advance moves that clock on, and with it whatever else makes the
	// store's records expire.
	Advance func(d time.Duration)
	// Reopen answers a store over the same data: opened again, or over
	// another connection. The suite does not use the earlier one any more, so
	// Reopen may close it.
	Reopen func() store.Store
}

// Clock is a clock that stands still until it is moved. Its Now and Advance
// serve as those of Opened.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock is a clock that shows the present, so that it agrees with the
// clock of a database server.
func NewClock() *Clock { return &Clock{now: time.Now().UTC()} }

// Now answers the time it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it on by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// check is one subtest; it gets an empty store of its own.
type check struct {
	name string
	run  func(t *testing.T, o Opened)
}

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	for _, part := range []struct {
		name   string
		checks []check
	}{
		{"Clients", clientRecords.checks()},
		{"Orgs", orgRecords.checks()},
		{"Customers", customerRecords.checks()},
		{"Partners", partnerRecords.checks()},
		{"PartnerTokens", partnerTokenRecords.checks()},
		{"Grants", grantRecords.checks()},
		{"Records", recordChecks()},
		{"Tokens", tokenChecks()},
		{"Feed", feedChecks()},
		{"FeedWait", feedWaitChecks()},
		{"Challenges", challengeChecks()},
		{"GuessCounts", guessChecks()},
		{"Uses", useChecks()},
		{"Limits", limitChecks()},
		{"Audit", auditChecks()},
		{"Identity", identityChecks()},
		{"Store", storeChecks()},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, c := range part.checks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel() // many wait, for replicas or for an entry
					c.run(t, h.New(t))
				})
			}
		})
	}
}

// patience bounds every wait of the suite. A store that answers "promptly"
// takes far less; a busy machine does not fail a test.
const patience = 20 * time.Second

// within is a context for the calls of one test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// together runs n calls of f at once and waits for all of them.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
