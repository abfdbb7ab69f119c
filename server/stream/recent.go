package stream

import (
	"slices"
	"sort"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// Bounds of the recent events that are kept for readers that come back, or that take
// longer.
const (
	maxRecent      = 4096
	maxRecentBytes = 1 << 20
	// maxKnown is how many positions are known that readers may go on from.
	maxKnown = 1 << 14
)

// frame is an encoded void event.
type frame struct {
	at   store.Position // of the last entry in it
	data []byte
}

// recent is what readers may be sent, at one moment. A published one never changes:
// readers use it without a lock.
type recent struct {
	// generation counts the resets of all readers, the last one for the reason why.
	generation uint64
	why        Reset
	// frames are the events, of which the first has the number first. Everything
	// after the position base is in them, up to the position at.
	first    uint64
	frames   []frame
	bytes    int
	base, at store.Position
	// known are the positions of all entries since base that a reader may have come to,
	// the oldest first. Another one may be from before the feed was lost: if the clock
	// of the store went back, it lies between those of later entries.
	known []store.Position
	// batch is what a reader needs that has everything before the event with the
	// number batchFrom, including fresh.
	batchFrom uint64
	batch     []byte
	// fresh is the newest event fresh, which has the number freshNumber and was made
	// at freshAt; nil: the copy of the feed is not fresh.
	fresh       []byte
	freshNumber uint64
	freshAt     time.Duration
	// madeAt is when this was published.
	madeAt time.Duration
}

// end returns the number of the next event.
func (r *recent) end() uint64 { return r.first + uint64(len(r.frames)) }

// add adds events, and drops the oldest ones that are too many.
func (r *recent) add(frames []frame) {
	for _, f := range frames {
		r.bytes += len(f.data)
	}
	r.frames = append(r.frames, frames...) // nobody reads beyond the length that was published
	if len(r.frames) <= maxRecent && r.bytes <= maxRecentBytes {
		return
	}
	drop := 0
	for len(r.frames)-drop > maxRecent*3/4 || r.bytes > maxRecentBytes*3/4 {
		r.bytes -= len(r.frames[drop].data)
		r.base = r.frames[drop].at
		drop++
	}
	r.first += uint64(drop)
	r.frames = append(make([]frame, 0, maxRecent*5/4), r.frames[drop:]...)
}

// reset forgets all events, and makes every reader drop what it has cached.
func (r *recent) reset(why Reset, at store.Position) {
	r.generation++
	r.first, r.frames, r.bytes = r.end(), nil, 0
	r.why, r.base, r.at = why, at, at
	// A reader that was not there may have come to this position before the reset.
	r.known = nil
}

// know adds the positions of entries.
func (r *recent) know(entries []feed.Applied) {
	for i := range entries {
		r.known = append(r.known, entries[i].Position) // as for frames
	}
	if drop := len(r.known) - maxKnown*3/4; len(r.known) > maxKnown {
		r.known = append(make([]store.Position, 0, maxKnown*5/4), r.known[drop:]...)
	}
}

// after returns the number of the first event after the position. ok is false if there
// may be others that are not kept, or if the feed has not come to the position.
func (r *recent) after(p store.Position) (number uint64, ok bool) {
	if _, ok := slices.BinarySearchFunc(r.known, p, store.Position.Compare); !ok || r.base.After(p) {
		return 0, false
	}
	i := sort.Search(len(r.frames), func(i int) bool { return r.frames[i].at.After(p) })
	return r.first + uint64(i), true
}

// progress is how far a reader has come.
type progress struct {
	generation uint64
	next       uint64 // number of the event that it needs next
	fresh      uint64 // number of the last event fresh
	// since is when the reader began: an event fresh from before tells it nothing.
	since time.Duration
}

// skip passes over what was published: the reader is reset.
func (p *progress) skip(r *recent) { p.generation, p.next, p.fresh = r.generation, r.end(), 0 }

// pull appends what the reader lacks to chunks. why is set if it must be reset, before
// what chunks hold.
func (p *progress) pull(chunks [][]byte, r *recent) (out [][]byte, why Reset) {
	switch {
	case p.generation != r.generation:
		why = r.why
	case p.next < r.first:
		why = ResetBehind
	}
	if why != "" {
		p.skip(r)
	}
	newFresh := r.fresh != nil && r.freshNumber > p.fresh && r.freshAt >= p.since
	if p.next == r.batchFrom && newFresh && len(r.batch) > 0 {
		chunks = append(chunks, r.batch)
	} else {
		for _, f := range r.frames[p.next-r.first:] {
			chunks = append(chunks, f.data)
		}
		if newFresh {
			chunks = append(chunks, r.fresh)
		}
	}
	if newFresh {
		p.fresh = r.freshNumber
	}
	p.next = r.end()
	return chunks, why
}
