package feed

import (
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

// state is the result of applying entries, oldest first.
type state struct {
	voids   map[string]store.Entry // the latest void of each key that is not in revoked
	changes map[string]store.Entry // the latest entry of either kind of each key
	revoked *revocations
	// records is the latest state of each record whose change is in the feed: an
	// entry with a Version. What it says holds whatever the store says.
	records map[string]store.Entry
	forms   forms       // bytes of Form in records
	hold    *store.Hold // nil: there is none
	tail    store.Position
	newest  time.Time // when the entry at tail was written
	// shared is the newest entry at or before bound, which is the newest that the
	// replica knew when it began to load; the zero Entry: there is none.
	shared store.Entry
	bound  store.Position
	read   int // how many entries were applied
}

func newState() *state {
	return &state{voids: map[string]store.Entry{}, changes: map[string]store.Entry{}, revoked: newRevocations(), records: map[string]store.Entry{}}
}

func (s *state) add(entries []store.Entry) {
	for i := range entries {
		s.put(&entries[i])
		s.tail = entries[i].Position
		if !s.tail.After(s.bound) {
			s.shared = store.Entry{Position: s.tail, At: entries[i].At}
		}
	}
	if n := len(entries); n > 0 {
		s.newest = begun(&entries[n-1])
	}
	s.read += len(entries)
}

// put applies an entry. A void of a single token is in one place only: there is
// one for each revocation, and no record is cached under its key.
func (s *state) put(e *store.Entry) {
	if s.revoked.put(e) {
		return
	}
	kept := *e
	kept.Key, kept.By, kept.Form = strings.Clone(e.Key), strings.Clone(e.By), "" // they may be parts of something longer
	if e.Version != 0 {
		s.putRecord(kept, e.Form)
	} else {
		s.dropForm(e.Key)
	}
	if e.Kind == store.EntryVoid {
		s.voids[kept.Key] = kept
	}
	if e.Kind == store.EntryChange || !store.IsTokenPrincipal(e.Key) {
		s.changes[kept.Key] = kept
	}
}

// void returns the latest void of the key.
func (s *state) void(key string) (store.Entry, bool) {
	e, ok := s.voids[key]
	if token, is := store.TokenOfPrincipal(key); is {
		if r, revoked := s.revoked.find(token); revoked && r.Position.After(e.Position) {
			return r, true
		}
	}
	return e, ok
}

// replace makes s the copy, under a new generation and epoch.
func (f *Feed) replace(s *state) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = s
	f.noteAll()
	next := Mark{Position: s.tail, Generation: 1}
	if v := f.applied.Load(); v != nil {
		next.Generation, next.Epoch = v.Generation+1, v.Epoch+1
	}
	f.applied.Store(&next)
	f.passMark(next, true)
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
	held := f.state.hold
	for i := range entries {
		if e := &entries[i]; e.Position.After(next.Position) {
			f.state.put(e)
			f.noteChange(e.Key)
			f.passOn(e)
			next.Position = e.Position
		}
	}
	reheld := f.state.hold != held // records that are cached may be held back now
	if reheld {
		next.Epoch++
		f.noteAll()
	}
	f.applied.Store(&next)
	f.passMark(next, reheld)
}

// prune drops expired entries.
func (f *Feed) prune() {
	now := f.clock.Now().Add(-store.ClockDrift) // a step back that is shorter is not noticed
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, known := range []map[string]store.Entry{f.state.voids, f.state.changes, f.state.records} {
		for key, e := range known {
			if expired(&e, now) {
				f.state.forms.drop(&e)
				delete(known, key)
			}
		}
	}
	f.state.revoked.prune(now)
}

// Entries returns how many entries this replica keeps.
func (f *Feed) Entries() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	n := len(f.state.changes) + f.state.revoked.len()
	for key := range f.state.voids {
		if _, both := f.state.changes[key]; !both {
			n++
		}
	}
	return n
}

// expired reports whether no token and no cached record that e concerns can be
// left.
func expired(e *store.Entry, now time.Time) bool { return now.After(expiry(e)) }

// expiry returns when the entry stops mattering.
func expiry(e *store.Entry) time.Time {
	if !e.Until.IsZero() {
		return e.Until
	}
	return begun(e).Add(store.FeedRetention)
}

// written returns when the entry was written, by the store's clock if it has one.
func written(e *store.Entry) time.Time {
	if e.Position.Time != 0 {
		return time.UnixMilli(int64(e.Position.Time)).UTC()
	}
	return e.At
}

// begun returns when the entry was written, by the store's clock if it has one,
// because the writer's clock may be slow.
func begun(e *store.Entry) time.Time {
	if stored := time.UnixMilli(int64(e.Position.Time)); stored.After(e.At) {
		return stored.UTC()
	}
	return e.At
}
