package stream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/voidkeys"
	"github.com/grantd/grantd/store"
)

const (
	// freshEvery is how often readers are told that the feed is fresh, at least; it is
	// promised every 250 ms. soonest is how soon that is repeated.
	freshEvery = 225 * time.Millisecond
	soonest    = 100 * time.Millisecond
	// A publication follows the one before after leastGap, and gapPerReader for each
	// reader, so that many voids cost few writes; at most mostGap.
	leastGap     = 2 * time.Millisecond
	gapPerReader = 20 * time.Microsecond
	mostGap      = 150 * time.Millisecond
)

// Observer counts for the metrics. Its methods must not block.
type Observer interface {
	// ReadersChanged is called with the number of streams.
	ReadersChanged(open int)
	// CountVoids counts void keys that were published.
	CountVoids(keys int)
	// CountReset counts a reset that a reader was sent.
	CountReset(why string)
	// CountEnded counts a stream that ended, by why.
	CountEnded(why string)
	// CountStreamRefused counts a stream that was refused, by why.
	CountStreamRefused(why string)
	// ObserveDelay is called with the time from the publication of voids until a
	// reader was sent them.
	ObserveDelay(time.Duration)
}

// Options are what a Hub needs.
type Options struct {
	Feed     *feed.Feed
	VoidKeys *voidkeys.Encoder
	// Recheck returns what the credentials of a caller are worth now.
	Recheck func(context.Context, *Caller) (Standing, error)
	Now     func() time.Time
	Limits  Limits
	Observe Observer
}

// Hub passes what the feed ends on to the readers. Its methods are safe for concurrent
// use.
type Hub struct {
	o      Options
	start  time.Time // origin of its monotonic clock
	encode encoder
	feed   *feed.Subscription
	recent atomic.Pointer[recent]
	wanted chan struct{} // a reader waits for an event fresh
	groups groups
	doors  doors

	mu      sync.Mutex
	readers []*reader
	opened  uint64
	ending  bool // no more readers

	life context.Context
	stop context.CancelFunc
	done sync.WaitGroup // the loops
	gone sync.WaitGroup // the readers
}

// New makes a Hub. Start starts it.
func New(o Options) *Hub {
	h := &Hub{
		o: o, start: time.Now(), encode: encoder{o.VoidKeys}, wanted: make(chan struct{}, 1),
	}
	h.groups.init()
	h.doors.init(o.Limits)
	h.life, h.stop = context.WithCancel(context.Background())
	return h
}

// Start begins to follow the feed, which must have started.
func (h *Hub) Start() {
	h.feed = h.o.Feed.Subscribe()
	_, mark, _ := h.feed.Take(nil)
	h.recent.Store(&recent{generation: 1, base: mark.Position, at: mark.Position, known: []store.Position{mark.Position}})
	h.done.Go(h.run)
	h.done.Go(h.watchGroups)
}

// clock returns the time on the monotonic clock that readers see.
func (h *Hub) clock() time.Duration { return time.Since(h.start) }

// run publishes until Stop.
func (h *Hub) run() {
	p := publisher{h: h, next: *h.recent.Load(), keys: h.o.VoidKeys.Generation()}
	timer := time.NewTimer(freshEvery)
	defer timer.Stop()
	wanted := false
	for {
		select {
		case <-h.life.Done():
			return
		case <-h.feed.Wake():
		case <-h.wanted:
			wanted = true
		case <-timer.C:
		}
		now, due := h.clock(), p.freshAt+freshEvery
		switch {
		case h.feed.Pending():
			due = p.published + p.gap()
		case wanted: // all readers are sent what a new one waits for
			due = max(p.published+p.gap(), p.freshAt+soonest)
		case p.unseen():
			due = p.freshAt + soonest
		}
		if now >= due {
			p.publish(now)
			wanted = false
			due = now + freshEvery
		}
		timer.Reset(max(due-h.clock(), time.Millisecond))
	}
}

// publisher makes what readers are sent. Only the loop of the Hub uses it.
type publisher struct {
	h         *Hub
	next      recent
	keys      uint64        // generation of the void keys
	published time.Duration // when something was last published
	freshAt   time.Duration // when an event fresh was last due
	confirmed time.Duration // as of when the copy was fresh, by that event
	entries   []feed.Applied
	pending   []string // principals of the void event that is being made
}

// gap returns how long a publication comes after the one before.
func (p *publisher) gap() time.Duration {
	return min(leastGap+time.Duration(p.h.doors.open.Load())*gapPerReader, mostGap)
}

// unseen reports whether the copy of the feed was confirmed since the last event
// fresh.
func (p *publisher) unseen() bool {
	now := p.h.clock()
	age, fresh := p.h.o.Feed.Confirmed()
	return fresh && age > 0 && now-age > p.confirmed+time.Millisecond
}

// publish takes what was applied to the feed, and publishes it.
func (p *publisher) publish(now time.Duration) {
	h, next := p.h, &p.next
	age, fresh := h.o.Feed.Confirmed()
	entries, mark, gap := h.feed.Take(p.entries)
	p.entries = entries
	batchFrom := next.end()
	keys := h.o.VoidKeys.Generation()
	why := Reset("")
	switch {
	case keys != p.keys:
		why = ResetKeys
	case gap == feed.GapReloaded:
		why = ResetRecovered
	case gap == feed.GapBehind:
		why = ResetBehind
	}
	var frames []frame
	if why == "" {
		frames = p.frames(entries)
		if h.o.VoidKeys.Generation() != keys { // it changed meanwhile
			why, frames = ResetKeys, nil
		}
	}
	if why != "" {
		p.keys = h.o.VoidKeys.Generation()
		next.reset(why, mark.Position)
		batchFrom = next.end()
	}
	next.add(frames)
	if why == "" {
		next.know(entries)
	}
	if !mark.Position.IsZero() {
		next.at = mark.Position
	}
	next.fresh = nil
	if fresh {
		next.fresh = h.encode.appendFresh(nil, next.at, age, now)
		next.freshNumber++
		next.freshAt = now
		p.confirmed = now - age
	}
	next.batchFrom, next.batch = batchFrom, join(frames, next.fresh)
	next.madeAt = now
	p.published, p.freshAt = now, now
	out := *next
	h.recent.Store(&out)
	h.groups.note(entries, why != "")
	h.wakeAll()
}

// frames returns the entries that end tokens as events.
func (p *publisher) frames(entries []feed.Applied) (frames []frame) {
	voids := 0
	p.pending = p.pending[:0]
	flush := func(at store.Position) {
		if len(p.pending) > 0 {
			frames = append(frames, frame{at, p.h.encode.appendVoids(nil, p.pending, at)})
			p.pending = p.pending[:0]
		}
	}
	var last store.Position
	for i := range entries {
		e := &entries[i]
		if e.Kind != store.EntryVoid {
			continue
		}
		voids++
		p.pending, last = append(p.pending, e.Key), e.Position
		if len(p.pending) == maxKeys {
			flush(last)
		}
	}
	flush(last)
	if voids > 0 {
		p.h.o.Observe.CountVoids(voids)
	}
	return frames
}

// join returns the bytes of the events in one piece.
func join(frames []frame, fresh []byte) []byte {
	if len(frames) == 0 {
		return fresh
	}
	n := len(fresh)
	for _, f := range frames {
		n += len(f.data)
	}
	b := make([]byte, 0, n)
	for _, f := range frames {
		b = append(b, f.data...)
	}
	return append(b, fresh...)
}
