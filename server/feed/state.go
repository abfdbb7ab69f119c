package feed

import (
	"maps"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

// state is what entries add up to.
type state struct {
	voids, changes map[string]store.Entry
	positions      map[store.Position]struct{} // only while loading
	tail           store.Position
}

func newState() *state {
	return &state{
		voids:     map[string]store.Entry{},
		changes:   map[string]store.Entry{},
		positions: map[store.Position]struct{}{},
	}
}

func (s *state) add(entries []store.Entry) {
	for _, e := range entries {
		s.positions[e.Position] = struct{}{}
		put(s.voids, s.changes, e)
		s.tail = e.Position
	}
}

// put keeps a token's own void once: there are as many as revocations, and no
// record is cached under its key.
func put(voids, changes map[string]store.Entry, e store.Entry) {
	if e.Kind == store.EntryVoid {
		voids[e.Key] = e
	}
	if e.Kind == store.EntryChange || !store.IsTokenPrincipal(e.Key) {
		changes[e.Key] = e
	}
}

func (f *Feed) replace(s *state) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.voids, f.changes = s.voids, s.changes
	next := Mark{Position: s.tail, Generation: 1}
	if v := f.applied.Load(); v != nil {
		next.Generation, next.Epoch = v.Generation+1, v.Epoch+1
	}
	f.applied.Store(&next)
}

// apply adds the entries that are new here. Reads overlap: the follower and
// a catch-up may bring the same entries.
func (f *Feed) apply(entries []store.Entry) {
	if len(entries) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	next := *f.applied.Load()
	next.Generation++
	for _, e := range entries {
		if e.Position.After(next.Position) {
			put(f.voids, f.changes, e)
			next.Position = e.Position
		}
	}
	f.applied.Store(&next)
}

// missing answers the entries known here that s does not hold and that still
// matter, oldest first: they are what the store lost. What a later entry of
// the same kind does too is not missed, so that replicas which recover one
// after the other do not repeat each other.
func (f *Feed) missing(s *state, now time.Time) []store.Entry {
	f.mu.RLock()
	defer f.mu.RUnlock()
	lost := map[store.Position]store.Entry{} // a void is in both maps
	collect := func(known, held map[string]store.Entry) {
		for key, e := range known {
			_, there := s.positions[e.Position]
			if !there && !held[key].Position.After(e.Position) && !over(e, now) {
				lost[e.Position] = e
			}
		}
	}
	collect(f.voids, s.voids)
	collect(f.changes, s.changes)
	return slices.SortedFunc(maps.Values(lost), func(a, b store.Entry) int { return a.Position.Compare(b.Position) })
}

// prune drops entries that no living token or cached record can need.
func (f *Feed) prune() {
	now := f.o.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, known := range []map[string]store.Entry{f.voids, f.changes} {
		for key, e := range known {
			if over(e, now) {
				delete(known, key)
			}
		}
	}
}

func over(e store.Entry, now time.Time) bool {
	until := e.Until
	if until.IsZero() {
		// The store's own clock counts where it has one: the writer's may be
		// slow.
		begun := e.At
		if stored := time.UnixMilli(int64(e.Position.Time)); stored.After(begun) {
			begun = stored
		}
		until = begun.Add(store.FeedRetention)
	}
	return now.After(until)
}
