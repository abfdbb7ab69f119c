package guard

import (
	"sync/atomic"
	"time"
)

// counters count what a guard does.
type counters struct {
	hits, misses, joined, introspections, failures, overloads atomic.Uint64
	voids, resets, streams                                    atomic.Uint64
}

// State is what a guard can do at the moment, for metrics and readiness. Counts grow
// from New on.
type State struct {
	Fresh           bool          // cached verdicts may be used
	Age             time.Duration // of what is known about revocations; at most an hour: also if nothing is
	Entries         int           // cached verdicts
	Registered      bool          // the registration is known and equals Config
	StreamConnected bool
	Err             error // the present problem; nil: there is none. A failed introspection counts for 10 s at most

	Hits           uint64 // look-ups that the cache answered
	Misses         uint64 // look-ups that it did not
	Joined         uint64 // misses that waited for a request of another look-up
	Introspections uint64 // requests to the introspection endpoint
	Failures       uint64 // requests that brought no verdict
	Overloads      uint64 // look-ups refused because too many requests were in flight
	Voids          uint64 // void keys that the stream delivered
	Resets         uint64 // resets that the stream delivered
	Streams        uint64 // streams that were opened
}

// shownAge bounds State.Age, for those who draw it.
const shownAge = time.Hour

// State returns what the guard can do at the moment.
func (g *Guard) State() State {
	age := max(0, min(g.view.age(g.clock()), shownAge))
	c := &g.count
	return State{
		Fresh: age <= g.cfg.MaxStaleness, Age: age, Entries: g.cache.entries(),
		Registered: g.admitted() == nil, StreamConnected: g.connected.Load() > 0, Err: g.problem(),
		Hits: c.hits.Load(), Misses: c.misses.Load(), Joined: c.joined.Load(), Introspections: c.introspections.Load(),
		Failures: c.failures.Load(), Overloads: c.overloads.Load(), Voids: c.voids.Load(), Resets: c.resets.Load(), Streams: c.streams.Load(),
	}
}

// problem returns the worst that is wrong at the moment.
func (g *Guard) problem() error {
	if known := g.registration.Load(); known != nil && known.err != nil {
		return known.err
	}
	if err := g.unasked.last(); err != nil {
		return err
	}
	return g.problems.last()
}
