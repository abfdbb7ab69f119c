package feed

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

// lostEntries are the entries that the store lost, oldest first. Those of single
// tokens may be many, so they are unpacked one page at a time.
type lostEntries struct {
	others  []store.Entry
	revoked []lostRevocation
}

type lostRevocation struct {
	position store.Position
	hour     *revokedHour
	x        *revocation
}

func (l *lostEntries) len() int { return len(l.others) + len(l.revoked) }

// findLost returns the entries that are known here, that s does not hold, and that
// have not expired. s holds an entry if it has this one or a later one of the
// same kind for the same key, so that replicas which recover one after the other
// do not write the same entries back twice.
func (f *Feed) findLost(s *state, now time.Time) *lostEntries {
	f.mu.RLock()
	defer f.mu.RUnlock()
	others := map[store.Position]store.Entry{} // a void is in both maps
	collect := func(known, held map[string]store.Entry) {
		for key, e := range known {
			if held[key].Position.Compare(e.Position) < 0 && !expired(&e, now) {
				others[e.Position] = e
			}
		}
	}
	collect(f.state.voids, s.voids)
	collect(f.state.changes, s.changes)
	for key, e := range f.state.records { // they have the forms; a later entry without a version may hide them
		if held := s.records[key]; (held.Version < e.Version || held.Version == e.Version && e.Gone && !held.Gone) && !expired(&e, now) {
			others[e.Position] = e
		}
	}
	l := &lostEntries{others: slices.SortedFunc(maps.Values(others), func(a, b store.Entry) int { return a.Position.Compare(b.Position) })}
	for h, x := range f.state.revoked.all() {
		p := h.position(x)
		if s.revoked.position(x.token).Compare(p) >= 0 {
			continue
		}
		e := h.unpack(x)
		if !expired(&e, now) && s.voids[e.Key].Position.Compare(p) < 0 {
			l.revoked = append(l.revoked, lostRevocation{p, h, x})
		}
	}
	slices.SortFunc(l.revoked, func(a, b lostRevocation) int { return a.position.Compare(b.position) })
	return l
}

// pages returns the entries in pages of at most writePage.
func (l *lostEntries) pages(f *Feed) iter.Seq[[]store.Entry] {
	return func(yield func([]store.Entry) bool) {
		others, revoked := l.others, l.revoked
		for len(others)+len(revoked) > 0 {
			page := make([]store.Entry, 0, min(writePage, len(others)+len(revoked)))
			f.mu.RLock()
			for len(page) < cap(page) {
				if len(revoked) == 0 || len(others) > 0 && revoked[0].position.After(others[0].Position) {
					page, others = append(page, others[0]), others[1:]
				} else {
					page, revoked = append(page, revoked[0].hour.unpack(revoked[0].x)), revoked[1:]
				}
			}
			f.mu.RUnlock()
			if !yield(page) {
				return
			}
		}
	}
}
