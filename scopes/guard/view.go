package guard

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// instant is a moment on the monotonic clock of this guard: time since it was made.
// The wall clock of this machine decides nothing.
type instant = time.Duration

// never is before every instant.
const never = instant(math.MinInt64 / 2)

// maxVoids bounds the voids that are remembered: a few MiB.
const maxVoids = 1 << 16

// view is what the guard knows of the feed: which void keys were voided at which
// position, and as of when that is complete. An epoch begins when it can no longer
// tell what it missed; what was cached before is worth nothing then.
//
// Invariants:
//  1. Everything that was appended to the feed before asOf and after floor, in this
//     epoch, is in voids.
//  2. A verdict counts only if it was checked after every void was known that is
//     forgotten now (voids.seen). So full voids end only what nobody asked for lately.
//  3. generation moves after a change is visible and before asOf moves. So who reads
//     asOf first and then generation misses no change that asOf vouches for.
//  4. A verdict may be kept only if its position is not before floor, and it was asked
//     for so long after the epoch began that the replica was not in the state from
//     before then: mostStaleness, or longer if the replica said that it lagged more.
type view struct {
	asOf       atomic.Int64 // instant
	generation atomic.Uint64
	dropped    func() // called with mu held when an epoch begins

	mu    sync.RWMutex
	epoch uint64
	term  uint64  // links of another term are ignored
	began instant // of the epoch
	floor position
	known bool // whether floor is
	voids voids
	last  position
	// resumable reports whether last is known, from where the next link goes on.
	resumable bool
}

var (
	errRetired   = errors.New("another stream has taken over")
	errDisorder  = errors.New("the stream of revocations is out of order")
	errAtRewinds = errors.New("the stream of revocations has times that go back")
)

func newView(dropped func()) *view {
	v := &view{dropped: dropped, voids: newVoids(maxVoids)}
	v.asOf.Store(int64(never))
	v.generation.Store(1)
	return v
}

// age returns how old the view is.
func (v *view) age(now instant) time.Duration { return now - instant(v.asOf.Load()) }

// begin begins an epoch: everything before is forgotten. v.mu is held.
func (v *view) begin(now instant) {
	v.asOf.Store(int64(never))
	v.epoch++
	v.began = now
	v.known, v.resumable = false, false
	v.voids = newVoids(v.voids.limit)
	v.generation.Add(1)
	v.dropped()
}

// forget begins an epoch that no link goes on from: what the open ones still deliver
// is ignored.
func (v *view) forget(now instant) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.term++
	v.begin(now)
}

// cursor is the part of a link that the view owns: how far the link has come.
type cursor struct {
	term        uint64
	last, fresh position // of its last event, and of its last confirmation
	from        position // resumes after it
	resumes     bool
}

// open returns the cursor of a link that is about to be opened.
func (v *view) open() *cursor {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return &cursor{term: v.term, from: v.last, resumes: v.resumable}
}

// start notes that the link has begun. If it does not resume, nobody knows what came
// before.
func (v *view) start(c *cursor, now instant) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case c.term != v.term:
		return errRetired
	case !c.resumes:
		v.take(c, now)
	}
	return nil
}

// take begins an epoch that belongs to this link alone. v.mu is held.
func (v *view) take(c *cursor, now instant) {
	v.term++
	c.term = v.term
	c.last, c.fresh = position{}, position{}
	v.begin(now)
}

// reset applies a reset.
func (v *view) reset(c *cursor, id position, now instant) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.term != v.term {
		return errRetired
	}
	v.take(c, now)
	v.move(c, id)
	return nil
}

// move notes the position of an event. v.mu is held.
func (v *view) move(c *cursor, id position) {
	if id.after(c.last) {
		c.last = id
	}
	if !v.known {
		v.floor, v.known = id, true
	}
	if !v.resumable || id.after(v.last) {
		v.last, v.resumable = id, true
	}
}

// void applies a void of keys at a position.
func (v *view) void(c *cursor, id position, keys []uint64, now instant) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case c.term != v.term:
		return errRetired
	case c.last.after(id) || !id.after(c.fresh):
		if v.voids.hasAll(keys, id) {
			return nil // a repetition
		}
		v.term++ // what was confirmed before was not true
		v.begin(now)
		return errDisorder
	case v.voids.full(len(keys)):
		if floor := v.voids.turn(v.generation.Load()); floor.after(v.floor) {
			v.floor = floor
		}
	}
	v.voids.add(keys, id)
	v.move(c, id)
	v.generation.Add(1)
	return nil
}

// confirm notes that the link has delivered everything from before asOf.
func (v *view) confirm(c *cursor, id position, asOf instant) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c.term != v.term {
		return errRetired
	}
	v.move(c, id)
	if id.after(c.fresh) {
		c.fresh = id
	}
	if int64(asOf) > v.asOf.Load() {
		v.asOf.Store(int64(asOf))
	}
	return nil
}

// current returns the present epoch, for a request that is about to be sent.
func (v *view) current() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.epoch
}

// ended reports whether the verdict is of another epoch, or a void of one of its keys
// came after it, or may have come and be forgotten. The caller reads the generation
// before it calls ended.
func (v *view) ended(a *verdict) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return a.epoch != v.epoch || a.checked.Load() < v.voids.seen || v.voids.anyAfter(a.keys, a.position)
}

// meet compares a verdict that has just come with what is known, before others see it.
// It reports whether the verdict is ended, and otherwise notes that it was checked. The
// verdict is coherent if the stream will tell of everything that can end it (invariant
// 4).
func (v *view) meet(a *verdict) (ended bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if a.epoch != v.epoch || v.voids.anyAfter(a.keys, a.position) {
		return true
	}
	a.coherent = a.follows && v.known && !v.floor.after(a.position) && a.sent >= v.began+max(a.lag, mostStaleness)
	a.checked.Store(v.generation.Load())
	return false
}
