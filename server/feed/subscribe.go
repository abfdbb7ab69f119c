package feed

import (
	"strings"
	"sync"
	"time"

	"github.com/grantd/grantd/store"
)

// maxApplied bounds the entries that a Subscription holds.
const maxApplied = 1 << 16

// Applied is what a Subscription has of an entry.
type Applied struct {
	Position store.Position
	Kind     store.EntryKind
	Key      string
}

// Subscription collects every entry that is applied, in order, for one part of
// grantd that passes them on. Safe for concurrent use.
type Subscription struct {
	feed *Feed
	wake chan struct{}

	mu      sync.Mutex
	entries []Applied
	at      Mark // after the last entry
	gap     Gap
}

// Gap says why a Subscription lacks entries.
type Gap byte

// The gaps. The zero value is none.
const (
	// GapBehind: there were more entries than a Subscription holds.
	GapBehind Gap = iota + 1
	// GapReloaded: the copy was loaded again, under a new epoch, or every record may
	// have changed.
	GapReloaded
)

// Subscribe returns a Subscription of what is applied from now on. The Feed fills it
// as long as it lives.
func (f *Feed) Subscribe() *Subscription {
	s := &Subscription{feed: f, wake: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.at = *f.applied.Load()
	f.subscriptions = append(f.subscriptions, s)
	return s
}

// Wake receives a value after entries were applied or the copy was confirmed.
func (s *Subscription) Wake() <-chan struct{} { return s.wake }

// Pending reports whether Take would return entries or a gap.
func (s *Subscription) Pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries) > 0 || s.gap != 0
}

// Take returns the entries since the last Take, and the mark after them. They are
// valid until the next Take but one: into is memory that may be used again. With a
// gap, there are none, and what was applied before the mark is not known.
func (s *Subscription) Take(into []Applied) (entries []Applied, at Mark, gap Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, at, gap = s.entries, s.at, s.gap
	s.entries, s.gap = into[:0], 0
	return entries, at, gap
}

// Confirmed returns how old the copy is at most, and whether that is less than
// MaxStaleness. Take, called afterward, returns everything that was appended before
// then.
func (f *Feed) Confirmed() (age time.Duration, fresh bool) {
	age = f.Age()
	return age, !f.lost.Load() && age < f.o.MaxStaleness
}

// Hasten makes the follower confirm the copy twice as often, or no longer.
func (f *Feed) Hasten(on bool) { f.hasten.Store(on) }

// passOn adds an entry that was applied to every Subscription. The caller holds f.mu.
func (f *Feed) passOn(e *store.Entry) {
	for _, s := range f.subscriptions {
		s.add(e)
	}
}

func (s *Subscription) add(e *store.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.gap != 0:
	case len(s.entries) >= maxApplied:
		s.entries, s.gap = nil, GapBehind
	default: // the key may be a part of something longer
		s.entries = append(s.entries, Applied{e.Position, e.Kind, strings.Clone(e.Key)})
	}
}

// passMark is called with the new mark after entries were applied. all: any record may
// have changed. The caller holds f.mu.
func (f *Feed) passMark(m Mark, all bool) {
	for _, s := range f.subscriptions {
		s.mu.Lock()
		s.at = m
		if all {
			s.entries, s.gap = nil, GapReloaded
		}
		s.mu.Unlock()
		s.notify()
	}
}

// passConfirmed is called after the copy was confirmed.
func (f *Feed) passConfirmed() {
	f.mu.RLock()
	subscriptions := f.subscriptions
	f.mu.RUnlock()
	for _, s := range subscriptions {
		s.notify()
	}
}

func (s *Subscription) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
