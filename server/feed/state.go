package feed

import (
	"maps"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

// state is the result of applying entries, oldest first.
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
		putEntry(s.voids, s.changes, e)
		s.tail = e.Position
	}
}

// putEntry applies an entry to both maps. A void of a single token goes only to
// voids: there is one for each revocation, and no record is cached under its key.
func putEntry(voids, changes map[string]store.Entry, e store.Entry) {
	if e.Kind == store.EntryVoid {
		voids[e.Key] = e
	}
	if e.Kind == store.EntryChange || !store.IsTokenPrincipal(e.Key) {
		changes[e.Key] = e
	}
}

// replace makes s the copy, under a new generation and epoch.
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
// catchUp may both return the same entries.
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
			putEntry(f.voids, f.changes, e)
			next.Position = e.Position
		}
	}
	f.applied.Store(&next)
}

// findLost returns the entries that the store lost, oldest first: those that are
// known here, that s does not hold, and that have not expired. It leaves out an
// entry if s holds a later one of the same kind for the same key, so that replicas
// which recover one after the other do not write the same entries back twice.
func (f *Feed) findLost(s *state, now time.Time) []store.Entry {
	f.mu.RLock()
	defer f.mu.RUnlock()
	lost := map[store.Position]store.Entry{} // a void is in both maps
	collect := func(known, held map[string]store.Entry) {
		for key, e := range known {
			_, there := s.positions[e.Position]
			if !there && !held[key].Position.After(e.Position) && !expired(e, now) {
				lost[e.Position] = e
			}
		}
	}
	collect(f.voids, s.voids)
	collect(f.changes, s.changes)
	return slices.SortedFunc(maps.Values(lost), func(a, b store.Entry) int { return a.Position.Compare(b.Position) })
}

// prune drops expired entries.
func (f *Feed) prune() {
	now := f.o.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, known := range []map[string]store.Entry{f.voids, f.changes} {
		for key, e := range known {
			if expired(e, now) {
				delete(known, key)
			}
		}
	}
}

// expired reports whether no token and no cached record that e concerns can be
// left.
func expired(e store.Entry, now time.Time) bool {
	until := e.Until
	if until.IsZero() {
		// The store's clock is used if it has one, because the writer's clock
		// may be slow.
		begun := e.At
		if stored := time.UnixMilli(int64(e.Position.Time)); stored.After(begun) {
			begun = stored
		}
		until = begun.Add(store.FeedRetention)
	}
	return now.After(until)
}
