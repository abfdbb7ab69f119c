// Package storetest is the contract suite that every store passes completely:
// each sentence of store's role interfaces is a subtest, and there are no
// opt-outs. It also has Faulty, a store that fails on request, for the tests of
// packages that use a store.
//
// It does not know any implementation: the test of an implementation passes it
// a Harness.
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

// AuditMaxEvents is how many audit events of each stream a harness opens its
// stores with.
const AuditMaxEvents = 500

// trimSlack is how many records a store may keep beyond their retention: a
// Redis stream is trimmed by whole nodes, of 100 entries each.
const trimSlack = 100

// Harness makes stores for the suite.
type Harness struct {
	// New opens an empty store and closes it with t.Cleanup. The subtests that
	// call it are parallel.
	New func(t *testing.T) Opened
}

// Opened is an empty store with the controls that a test needs.
type Opened struct {
	Store store.Store
	// Now is the clock that the store was opened with.
	Now func() time.Time
	// Advance moves that clock forward, and everything else that makes the
	// store's records expire.
	Advance func(d time.Duration)
	// Reopen returns a store with the same data: opened again, or over another
	// connection. The suite does not use the earlier store any more, so Reopen
	// may close it.
	Reopen func() store.Store
}

// Clock is a clock that moves only when Advance is called. Its Now and Advance
// can be those of Opened.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows the present time, so that it agrees with
// the clock of a database server.
func NewClock() *Clock { return &Clock{now: time.Now().UTC()} }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Elapsed is the monotonic clock that goes with Now: Advance moves both.
func (c *Clock) Elapsed() time.Duration { return c.Now().Sub(time.Unix(0, 0)) }

// Advance moves the clock forward by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// check is one subtest. It gets a separate, empty store.
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
		{"APIKeys", apiKeyRecords.checks()},
		{"Grants", grantRecords.checks()},
		{"Holds", holdRecords.checks()},
		{"NoticeQueues", noticeRecords.checks()},
		{"SigningKeys", signingRecords.checks()},
		{"Records", recordChecks()},
		{"Groups", groupChecks()},
		{"Tokens", tokenChecks()},
		{"Feed", feedChecks()},
		{"FeedWait", feedWaitChecks()},
		{"Challenges", challengeChecks()},
		{"GuessCounts", guessChecks()},
		{"Uses", useChecks()},
		{"Limits", limitChecks()},
		{"Audit", auditChecks()},
		{"Identity", identityChecks()},
		{"Copies", copyChecks()},
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

// patience bounds every wait of the suite. A correct store needs much less, so a
// busy machine does not fail a test.
const patience = 20 * time.Second

// within returns a context for the calls of one test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// concurrently runs n calls of f at once and waits for all of them.
func concurrently(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
