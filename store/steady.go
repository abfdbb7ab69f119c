package store

import (
	"sync"
	"time"
)

// ClockDrift is how far the wall clock may be behind the monotonic one before it
// counts as set back.
const ClockDrift = time.Minute

// SteadyClock says what has expired for good. It is the wall clock, except that a
// jump forward does not move it: a wrong clock that is corrected later must not
// have dropped anything. It is safe for concurrent use.
type SteadyClock struct {
	now     func() time.Time
	elapsed func() time.Duration

	mu   sync.Mutex
	wall time.Time // the wall clock when elapsed was at
	at   time.Duration
}

// NewSteadyClock returns a clock that begins now. elapsed is the monotonic clock:
// the time since any fixed point; nil: that of the process.
func NewSteadyClock(now func() time.Time, elapsed func() time.Duration) *SteadyClock {
	if elapsed == nil {
		begun := time.Now()
		elapsed = func() time.Duration { return time.Since(begun) }
	}
	return &SteadyClock{now: now, elapsed: elapsed, wall: now(), at: elapsed()}
}

// Now returns the wall clock, or what it would show without its jumps forward
// since the clock began, whichever is earlier.
func (c *SteadyClock) Now() time.Time {
	wall, steady := c.times()
	if wall.Before(steady) {
		return wall
	}
	return steady
}

// SetBack reports whether the wall clock was set back by more than a minute since
// the clock began, or since the last call that returned true. What was dropped
// as expired before may not have expired.
func (c *SteadyClock) SetBack() bool {
	wall, steady := c.times()
	if steady.Sub(wall) < ClockDrift {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.at = wall, c.elapsed()
	return true
}

func (c *SteadyClock) times() (wall, steady time.Time) {
	wall = c.now().Round(0) // without its monotonic reading, which Sub and Before would use
	c.mu.Lock()
	defer c.mu.Unlock()
	return wall, c.wall.Round(0).Add(c.elapsed() - c.at)
}
