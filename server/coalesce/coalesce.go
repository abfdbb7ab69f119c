// Package together does once for many what they ask for at the same time. It
// knows nothing of what that is.
package coalesce

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// Group shares runs among those who ask for the same key. Unlike with
// singleflight, nobody joins a run that had begun before: what a run reads is
// never older than the call that it answers, and what it counts is counted
// once for each. The zero value is ready; safe for concurrent use.
type Group[K comparable, V any] struct {
	mu sync.Mutex
	// next holds, for each key with a run under way, those who wait for the
	// next; nil: nobody does.
	next map[K]*round[V]
}

type round[V any] struct {
	callers int
	done    chan struct{}
	value   V
	err     error
}

// Do answers what run answered to a number of callers, this one among them,
// and this one's place: 0 to callers-1. run may be that of another caller of
// the same key, and ends by its own time-outs; it is not to depend on who
// calls. Errors: run's, and that of ctx.
func (g *Group[K, V]) Do(ctx context.Context, key K, run func(callers int) (V, error)) (value V, callers, place int, err error) {
	g.mu.Lock()
	mine, busy := g.next[key]
	if mine == nil {
		if g.next == nil {
			g.next = map[K]*round[V]{}
		}
		mine = &round[V]{done: make(chan struct{})}
		g.next[key] = mine
	}
	place = mine.callers
	mine.callers++
	g.mu.Unlock()
	if !busy {
		go g.work(key, run)
	}
	select {
	case <-mine.done:
		return mine.value, mine.callers, place, mine.err
	case <-ctx.Done():
		return value, 0, place, ctx.Err()
	}
}

// work runs until nobody waits.
func (g *Group[K, V]) work(key K, run func(callers int) (V, error)) {
	for {
		g.mu.Lock()
		r := g.next[key]
		if r == nil {
			delete(g.next, key)
			g.mu.Unlock()
			return
		}
		g.next[key] = nil
		callers := r.callers // nobody joins any more
		g.mu.Unlock()
		r.value, r.err = safely(run, callers)
		close(r.done)
	}
}

// safely makes a panic an error: it would end the process, not one request.
func safely[V any](run func(callers int) (V, error), callers int) (value V, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("panic: %w", p)
		default: // it could hold what a caller sent
			err = errors.New("panic")
		}
	}()
	return run(callers)
}
