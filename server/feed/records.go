package feed

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

// maxForms bounds the memory for the forms of records, in bytes. What is changed
// beyond that is known by its version only: if the store loses it, the record is
// held back instead of written back.
const maxForms = 32 << 20

// putRecord keeps what the entry says about its record, unless a later state of
// the record is known: an entry that was written back may be older.
func (s *state) putRecord(e store.Entry, form string) {
	known, ok := s.records[e.Key]
	if ok && (known.Version > e.Version || known.Version == e.Version && (known.Gone || known.Form != "" && form == "" && !e.Gone)) {
		return
	}
	s.forms -= len(known.Form)
	if len(form) <= maxForms-s.forms {
		e.Form = strings.Clone(form)
		s.forms += len(form)
	}
	s.records[e.Key] = e
	if e.Key == holdKey && form != "" {
		s.setHold(form)
	}
}

// dropForm forgets the form of a record. A grantd that did not write versions
// voided it: the record may have been deleted or changed since.
func (s *state) dropForm(key string) {
	if e, known := s.records[key]; known && e.Form != "" {
		s.forms -= len(e.Form)
		e.Form = ""
		s.records[key] = e
	}
}

var holdKey = store.PrincipalHold(store.HoldID)

func (s *state) setHold(form string) {
	if h, err := store.HoldKind.Unmarshal([]byte(form)); err == nil {
		s.hold = &h
	}
}

// Record returns the latest entry that says what version the record with the
// principal key has. A record in the store with an older one is not the newest.
func (f *Feed) Record(key string) (store.Entry, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	e, ok := f.state.records[key]
	return e, ok
}

// Hold returns the hold of the store, or nil. It is shared: do not change it.
func (f *Feed) Hold() *store.Hold {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state.hold
}

// Loss is what a replica knows when the store came back older, or may have.
type Loss struct {
	// Entries is how many entries this replica knows and the store lost.
	Entries int
	// Records is the newest state of every record that changed within
	// FeedRetention: entries with a Version. The stored records may be older.
	Records []store.Entry
	// Cause says why more may be lost than this replica knows; "": it knows all.
	Cause store.HoldCause
	// LastKnown is when the newest entry that the store still had was written.
	LastKnown time.Time
	// Incarnation is that of the store now.
	Incarnation string
}

// repair lets Options.Repair make the stored records what they must be. left is
// the feed that came back. The entries that it returns belong into the feed.
func (f *Feed) repair(ctx context.Context, left *state, incarnation string, entries int, cause store.HoldCause) ([]store.Entry, error) {
	if f.o.Repair == nil {
		return nil, nil
	}
	loss := Loss{Entries: entries, Cause: cause, Incarnation: incarnation, LastKnown: left.newest}
	f.mu.RLock()
	now, known := f.clock.Now(), f.state.records
	if f.state.tail.IsZero() { // before the first recovery
		known = left.records
	}
	for _, e := range known {
		if !expired(&e, now) {
			loss.Records = append(loss.Records, e)
		}
	}
	f.mu.RUnlock()
	if loss.Entries == 0 && loss.Cause == "" && len(loss.Records) == 0 {
		return nil, nil
	}
	slices.SortFunc(loss.Records, func(a, b store.Entry) int { return a.Position.Compare(b.Position) })
	return f.o.Repair(ctx, loss)
}

// causeOf returns why the store may have lost more than this replica remembers:
// its feed ends before the oldest entry that is certainly remembered. known is
// false before the first recovery.
func (f *Feed) causeOf(left *state) store.HoldCause {
	tail := f.Position()
	if tail.IsZero() || !tail.After(left.tail) {
		return ""
	}
	remembered := f.clock.Now().Add(-store.FeedRetention + store.ClockDrift)
	if left.newest.After(remembered) {
		return ""
	}
	return store.BeyondMemory
}
