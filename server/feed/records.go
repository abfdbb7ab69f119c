package feed

import (
	"context"
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

// maxForms bounds the memory for the forms of records, in bytes. What is changed
// beyond that is known by its version only: if the store loses it, the record is
// held back instead of written back.
const maxForms = 32 << 20

// maxKeyForms is how much of it API keys may have: clients make them, and must not
// crowd out what operators changed.
const maxKeyForms = 8 << 20

// forms counts the bytes of the forms in memory.
type forms struct{ keys, others int }

// of returns the count for the record with the principal key, and its bound.
func (f *forms) of(key string) (count *int, most int) {
	if strings.HasPrefix(key, keyPrefix) {
		return &f.keys, maxKeyForms
	}
	return &f.others, maxForms - maxKeyForms
}

// drop forgets the form of the entry.
func (f *forms) drop(e *store.Entry) {
	count, _ := f.of(e.Key)
	*count -= len(e.Form)
}

var keyPrefix = store.PrincipalKey("")

// putRecord keeps what the entry says about its record, unless a later state of
// the record is known: an entry that was written back may be older.
func (s *state) putRecord(e store.Entry, form string) {
	known, ok := s.records[e.Key]
	if ok && (known.Version > e.Version || known.Version == e.Version && (known.Gone || known.Form != "" && form == "" && !e.Gone)) {
		return
	}
	if ok {
		s.forms.drop(&known)
	}
	if count, most := s.forms.of(e.Key); len(form) <= most-*count {
		e.Form = strings.Clone(form)
		*count += len(form)
	}
	s.records[e.Key] = e
	if e.Key == holdKey && form != "" {
		s.setHold(form)
	}
}

// dropForm forgets the form of a record. A grantd that did not write versions
// named it: the record may have been deleted or changed since.
func (s *state) dropForm(key string) {
	if e, known := s.records[key]; known && e.Form != "" {
		s.forms.drop(&e)
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
	// Records is the newest state of the records whose change the store lost:
	// entries with a Version. The stored records may be older.
	Records []store.Entry
	// Cause says why more may be lost than this replica knows; "": it knows all.
	Cause store.HoldCause
	// LastKnown is when the newest entry that the store still had was written.
	LastKnown time.Time
	// Incarnation is that of the store now.
	Incarnation string
	// Hold is the one that this replica knows; nil: there is none. What falls under
	// it is not known for certain.
	Hold *store.Hold
}

// repair lets Options.Repair make the stored records what they must be. It
// returns the entries that belong into the feed.
func (f *Feed) repair(ctx context.Context, loss Loss) ([]store.Entry, error) {
	if f.o.Repair == nil || loss.Entries == 0 && loss.Cause == "" && len(loss.Records) == 0 {
		return nil, nil
	}
	return f.o.Repair(ctx, loss)
}

// causeOf returns why the store may have lost more than this replica remembers:
// nobody has vouched for it, it lacks the newest entry that this replica knows,
// and the newest one that it has of those before is not certainly remembered.
// What was appended since says nothing about that.
func (f *Feed) causeOf(left *state, l store.Lineage) store.HoldCause {
	tail := f.Position()
	if tail.IsZero() || l.Witnessed == l.Current || left.shared.Position == tail {
		return ""
	}
	remembered := f.clock.Now().Add(-store.FeedRetention + store.ClockDrift)
	if written(&left.shared).After(remembered) {
		return ""
	}
	return store.BeyondMemory
}

// deletedMeanwhile returns the entries of s that say that a repaired record is
// gone: another replica deleted it while this one repaired it.
func deletedMeanwhile(repaired []store.Entry, s *state) []store.Entry {
	var deleted []store.Entry
	for i := range repaired {
		if e := s.records[repaired[i].Key]; e.Gone && e.Version > repaired[i].Version {
			deleted = append(deleted, e)
		}
	}
	return deleted
}
