// Package feed keeps this replica's copy of the feed: when each principal was
// last voided, and which records have changed. It follows the store's feed,
// knows how fresh its copy is, and repairs a feed that lost entries. It knows
// tokens and records only by their principal keys. FEED.md describes the
// protocol and its invariants.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

// ErrStale means that the feed could not be confirmed in time, so no token may
// be reported as active. It wraps store.ErrUnavailable.
var ErrStale = fmt.Errorf("feed not confirmed in time: %w", store.ErrUnavailable)

// Options are what a Feed needs.
type Options struct {
	Store        store.Feed
	Shared       bool          // other processes append too
	MaxStaleness time.Duration // cache.max_staleness
	Now          func() time.Time
	Elapsed      func() time.Duration // the monotonic clock; nil: that of the process
	Log          *slog.Logger
	// Restore puts back what a replaced store lost besides the feed. It is
	// called while the feed recovers; after an error the feed stays stale.
	Restore func(context.Context) error
	// Repair makes the stored records what they must be after the store came back
	// older. It is called before the feed is written back, may be called again for
	// the same loss, and after an error the feed stays stale. It returns what the
	// feed must say about what it did. nil: records stay as they are.
	Repair func(context.Context, Loss) ([]store.Entry, error)
	// Holds keeps the hold; nil: there is none.
	Holds store.Holds
}

// Feed is this replica's copy of the feed. Its methods are safe for concurrent use.
type Feed struct {
	o     Options
	start time.Time // monotonic origin of confirmed

	clock *store.SteadyClock

	mu      sync.RWMutex
	state   *state // this copy
	changes []*Changes
	applied atomic.Pointer[Mark]

	subscriptions []*Subscription // guarded by mu
	hasten        atomic.Bool

	confirmed  atomic.Int64 // since start: when the last successful read was sent
	lost       atomic.Bool  // recovering: nothing is fresh
	recovering sync.Mutex
	lineage    string // of the last recovery; guarded by recovering
	// loading is what a recovery that failed has read, and loadingOf the
	// incarnation that it read it from; guarded by recovering.
	loading    *state
	loadingOf  string
	recoveries atomic.Uint64 // how many have succeeded
	lossKnown  bool          // the log has the loss that is being repaired; guarded by recovering

	pause   pause
	trouble *trouble.Log
	flight  singleflight.Group
	life    context.Context // ends with Stop
	stop    context.CancelFunc
	follows bool
	done    chan struct{}
}

// Mark is how far this replica's copy of the feed has come.
type Mark struct {
	// Position of the newest entry that is applied here.
	Position store.Position
	// Generation changes whenever Position does. What was checked against the
	// feed at one generation needs no second check at that generation.
	Generation uint64
	// Epoch changes when the feed has recovered from a loss: the store may have
	// lost records too, so what was cached before must be read again.
	Epoch uint64
	// Age is how long before the call this copy was last confirmed: it has everything
	// that was appended until then.
	Age time.Duration
}

// New returns an empty Feed; Start loads the entries.
func New(o Options) *Feed {
	f := &Feed{
		o: o, start: time.Now(), clock: store.NewSteadyClock(o.Now, o.Elapsed), done: make(chan struct{}),
		trouble: trouble.New(o.Log, "feed: not read", "feed: read again"),
	}
	f.life, f.stop = context.WithCancel(context.Background())
	f.replace(newState())
	f.lost.Store(true)
	return f
}

// Position returns the position of the newest entry that is applied here.
func (f *Feed) Position() store.Position { return f.applied.Load().Position }

// Age returns how long ago the feed was last confirmed; always 0 if no other
// process appends to it.
func (f *Feed) Age() time.Duration {
	if !f.o.Shared {
		return 0
	}
	return time.Since(f.start) - time.Duration(f.confirmed.Load())
}

// Fresh returns the mark of a copy that is confirmed to be at most MaxStaleness
// old. If the copy is older, it reads the tail of the feed first; callers that
// wait share one read. Errors: ErrStale.
func (f *Feed) Fresh(ctx context.Context) (Mark, error) {
	fresh := func() bool { return !f.lost.Load() && f.Age() < f.o.MaxStaleness }
	if age := f.Age(); !f.lost.Load() && age < f.o.MaxStaleness {
		return f.mark(age), nil
	}
	return f.confirmNow(ctx, fresh)
}

// mark returns the mark of a copy that was confirmed age ago. The age must have been
// read before: a copy that was confirmed since has more.
func (f *Feed) mark(age time.Duration) Mark {
	m := *f.applied.Load()
	m.Age = age
	return m
}

// Latest returns the mark of a copy that has everything that was appended before the
// call. It reads the tail of the feed, however fresh the copy is. Something that was
// written before the call, and that is not void now, is in the store before any later
// void of it: those who void it and read the store afterward find it. Errors: ErrStale.
func (f *Feed) Latest(ctx context.Context) (Mark, error) {
	return f.confirmNow(ctx, func() bool { return false })
}

// confirmNow reads the tail until a read that was sent after the call succeeds,
// or until enough reports that an earlier one is recent enough: the call may join
// a read that was sent long before.
func (f *Feed) confirmNow(ctx context.Context, enough func() bool) (Mark, error) {
	called := time.Since(f.start)
	for try := range 2 {
		if err := f.catchUp(ctx); err != nil {
			return Mark{}, errors.Join(ErrStale, err)
		}
		// The second read was certainly sent after the call. For the first one,
		// only the clock can tell.
		sent := time.Duration(f.confirmed.Load())
		later := sent > called || sent == called && try == 1
		if !f.lost.Load() && later || enough() {
			return f.mark(f.Age()), nil
		}
	}
	return Mark{}, ErrStale
}

// Voided returns the entry that ends the token: a void of one of its
// principals, or of the token itself, later than its position.
func (f *Feed) Voided(d store.Digest, t *store.Token) (store.Entry, bool) {
	var principals store.PrincipalBuffer
	var key store.KeyBuffer
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, p := range t.Principals(&principals) {
		if parent, ok := p.Digest(); ok && f.state.revoked.position(parent).After(t.Position) {
			return f.state.revoked.find(parent)
		}
		if e, ok := f.state.voids[string(p.Append(key[:0]))]; ok && e.Position.After(t.Position) {
			return e, true
		}
	}
	if f.state.revoked.position(d).After(t.Position) {
		return f.state.revoked.find(d)
	}
	e, ok := f.state.voids[string(store.AppendTokenPrincipal(key[:0], d))]
	if ok && e.Position.After(t.Position) {
		return e, true
	}
	return store.Entry{}, false
}

// VoidedKey returns the void of the principal if it is later than the position.
func (f *Feed) VoidedKey(key string, since store.Position) (store.Entry, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	e, ok := f.state.void(key)
	return e, ok && e.Position.After(since)
}

// Changed reports whether an entry later than since names the key.
func (f *Feed) Changed(key string, since store.Position) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	e, ok := f.state.changes[key]
	return ok && e.Position.After(since)
}

// Append writes entries to the feed and applies them here before it returns.
// The caller must have written the records that the entries name (FEED.md, "Order
// of writes"). Errors: store.ErrUnavailable; the caller must repeat the whole
// change then.
func (f *Feed) Append(ctx context.Context, entries ...store.Entry) error {
	for i := range entries {
		entries[i].At = f.o.Now().UTC().Truncate(time.Millisecond)
	}
	if f.lost.Load() { // what the store has lost must be known before it gets more
		if err := f.catchUp(ctx); err != nil {
			return fmt.Errorf("append to feed: %w", err)
		}
	}
	to, err := f.o.Store.AppendFeed(ctx, entries...)
	if err != nil {
		return fmt.Errorf("append to feed: %w", err)
	}
	f.pause.end()
	// The first read may join one that was sent before the entry was written;
	// the second cannot.
	for range 2 {
		if !f.lost.Load() && !to.After(f.Position()) {
			return nil
		}
		if err := f.catchUp(ctx); err != nil {
			return fmt.Errorf("apply own feed entry: %w", err)
		}
	}
	if to.After(f.Position()) {
		return fmt.Errorf("apply own feed entry: %w: %w", store.ErrFeedLost, store.ErrUnavailable)
	}
	return nil
}

// Settle waits until every replica has applied what was appended before the call:
// a replica that still serves requests has read the feed within MaxStaleness.
// Errors: store.ErrUnavailable if ctx ends first.
func (f *Feed) Settle(ctx context.Context) error {
	if !f.o.Shared {
		return nil
	}
	t := time.NewTimer(f.o.MaxStaleness)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the other replicas: %w", errors.Join(ctx.Err(), store.ErrUnavailable))
	}
}
