package gateway

import (
	"context"
	"sync"
	"time"
)

// decideWithin bounds a decision. A gateway that waits for longer than 2 s keeps
// connections and callers waiting for what will fail anyway.
const decideWithin = 1500 * time.Millisecond

// deadline is a context that ends at a time, like that of context.WithDeadline. It has
// no timer until something waits for it: a decision about a cached token waits for
// nothing, and timers cost more than the rest of it.
type deadline struct {
	context.Context
	at time.Time

	once  sync.Once
	armed context.Context
	end   context.CancelFunc
}

func newDeadline(parent context.Context, within time.Duration) *deadline {
	return &deadline{Context: parent, at: time.Now().Add(within)}
}

// arm returns the context with the timer.
func (d *deadline) arm() context.Context {
	d.once.Do(func() { d.armed, d.end = context.WithDeadline(d.Context, d.at) })
	return d.armed
}

// stop releases the timer, if there is one. Nothing may wait after that.
func (d *deadline) stop() {
	d.once.Do(func() { d.armed, d.end = d.Context, func() {} })
	d.end()
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (at time.Time, ok bool) { return d.arm().Deadline() }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.arm().Done() }

// Err implements context.Context.
func (d *deadline) Err() error { return d.arm().Err() }
