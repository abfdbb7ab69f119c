// Package coalesce does once what several callers ask for at the same time. It
// does not know what that is.
package coalesce

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// Group shares runs between callers with the same key. Unlike singleflight, it
// never lets a caller join a run that has begun: so what a run reads is never
// older than the call, and a run knows how many callers it counts for. The zero
// value is ready to use. Safe for concurrent use.
type Group[K comparable, V any] struct {
	mu sync.Mutex
	// next holds, for each key that is running, the callers of its next run;
	// nil: there are none.
	next map[K]*round[V]
}

type round[V any] struct {
	callers int
	done    chan struct{}
	value   V
	err     error
}

// Do returns what run returned for a number of callers that include this one, and
// the place of this one: 0 to callers-1. run may be the function of another
// caller with the same key. It must not depend on the caller, and must end by its
// own timeouts. Errors: those of run and of ctx.
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

// work runs until no caller waits.
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
		callers := r.callers // final: the next caller gets the next round
		g.mu.Unlock()
		r.value, r.err = recovered(run, callers)
		close(r.done)
	}
}

// recovered turns a panic of run into an error, which has the stack for the log.
// In a goroutine it would end the process, not one request.
func recovered[V any](run func(callers int) (V, error), callers int) (value V, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("panic: %w\n%s", p, debug.Stack())
		default: // the value could hold what a caller sent
			err = errors.New("panic")
		}
	}()
	return run(callers)
}
