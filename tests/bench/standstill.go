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
	// standstill is a pause of the whole machine (a virtual one that shares
	// its cores) after which grantd is right to answer 503: it has not heard
	// from its store.
	standstill = 250 * time.Millisecond
	// maxRepeats bounds how many measurements of a run are repeated.
	maxRepeats = 5
)

// watch knows how long this process was not run although it was to be.
type watch struct{ worst atomic.Int64 }

// keep watches until ctx ends.
func (w *watch) keep(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		time.Sleep(tick)
		if late := int64(time.Since(began) - tick); late > w.worst.Load() {
			w.worst.Store(late)
		}
	}
}

// take answers the longest pause since it was last asked.
func (w *watch) take() time.Duration { return time.Duration(w.worst.Swap(0)) }

// unavailable is a measurement in which some answers were 503.
type unavailable struct{ answers, requests int64 }

func (u unavailable) Error() string {
	return fmt.Sprintf("%d of %d answers are 503", u.answers, u.requests)
}

// steadily does what puts a load on a target, and again if the machine stood
// still in between and 503 was answered: nothing else excuses one. The results
// say how often.
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
