package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	tick = 10 * time.Millisecond
	// standstill is a pause of the whole machine, for example a virtual machine
	// on shared cores. After such a pause grantd correctly returns 503, because it
	// has not heard from its store.
	standstill = 250 * time.Millisecond
	// maxRepeats limits how many measurements of a run are repeated.
	maxRepeats = 5
)

// watch measures how long this process was not scheduled although it was due.
type watch struct{ worst atomic.Int64 }

// keep measures until ctx ends.
func (w *watch) keep(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		time.Sleep(tick)
		if late := int64(time.Since(began) - tick); late > w.worst.Load() {
			w.worst.Store(late)
		}
	}
}

// take returns the longest pause since the last call.
func (w *watch) take() time.Duration { return time.Duration(w.worst.Swap(0)) }

// unavailable is a measurement in which some responses were 503.
type unavailable struct{ responses, requests int64 }

func (u unavailable) Error() string {
	return fmt.Sprintf("%d of %d responses are 503", u.responses, u.requests)
}

// steadily calls a function that puts a load on a target. It repeats the call if
// the machine stood still and a response was 503; nothing else excuses a 503. The
// results show the number of repetitions.
func (b *bench) steadily(do func() error) error {
	for {
		b.watch.take()
		err := do()
		var u unavailable
		pause := b.watch.take()
		if !errors.As(err, &u) || pause < standstill || b.repeated == maxRepeats {
			return err
		}
		b.repeated++
		b.lab.say("%v, and the machine stood still for %v: measured again", err, pause.Round(time.Millisecond))
	}
}
