package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"time"
)

// wakeAtOnce is how many readers are woken at once: all of them would keep the
// processor from the requests of others for too long.
const wakeAtOnce = 64

// sampleFrom is from how many readers on the delay is measured for some of them.
const sampleFrom, sampleOne = 64, 16

// open adds a reader whose request arrived at the time. lastID are the values of Last-Event-ID. Close must be called.
func (h *Hub) open(c Caller, from netip.Addr, arrived time.Duration, lastID []string) (*reader, error) {
	refused, err := h.doors.enter(c.Client.ID, time.Now())
	if err != nil {
		h.o.Observe.CountStreamRefused(refused)
		return nil, err
	}
	r := &reader{hub: h, caller: c, from: from, arrived: arrived, wake: make(chan struct{}, 1), registration: c.Client}
	h.mu.Lock()
	if h.ending {
		h.mu.Unlock()
		h.doors.leave(c.Client.ID)
		h.o.Observe.CountStreamRefused(RefusedDraining)
		return nil, errDraining
	}
	r.index = len(h.readers)
	h.readers = append(h.readers, r)
	h.opened++
	r.sampled = len(h.readers) <= sampleFrom || h.opened%sampleOne == 0
	h.gone.Add(1)
	h.mu.Unlock()
	// What is published from here on wakes the reader.
	now := h.recent.Load()
	r.progress = progress{generation: now.generation, next: now.end(), since: arrived}
	if len(lastID) > 0 {
		h.resume(r, now, lastID)
	}
	h.groups.join(r)
	h.o.Feed.Hasten(true)
	h.o.Observe.ReadersChanged(int(h.doors.open.Load()))
	select {
	case h.wanted <- struct{}{}:
	default:
	}
	return r, nil
}

// resume makes the reader go on after the position that it names, or be reset.
func (h *Hub) resume(r *reader, now *recent, lastID []string) {
	r.resumed = ResetUnknown
	if len(lastID) != 1 {
		return
	}
	if p, ok := h.o.VoidKeys.ParsePosition(lastID[0]); ok {
		if next, ok := now.after(p); ok {
			r.progress.next, r.resumed = next, ""
		}
	}
}

// close removes the reader.
func (h *Hub) close(r *reader, why End) {
	h.groups.leave(r)
	h.mu.Lock()
	last := len(h.readers) - 1
	h.readers[r.index] = h.readers[last]
	h.readers[r.index].index = r.index
	h.readers[last] = nil
	h.readers = h.readers[:last]
	h.mu.Unlock()
	h.doors.leave(r.caller.Client.ID)
	open := int(h.doors.open.Load())
	if open == 0 {
		h.o.Feed.Hasten(false)
	}
	h.o.Observe.ReadersChanged(open)
	h.o.Observe.CountEnded(string(why))
	h.gone.Done()
}

// wakeAll wakes every reader, some at a time.
func (h *Hub) wakeAll() {
	for begin := 0; ; begin += wakeAtOnce {
		h.mu.Lock()
		end := min(begin+wakeAtOnce, len(h.readers))
		if begin >= end {
			h.mu.Unlock()
			return
		}
		for _, r := range h.readers[begin:end] {
			r.notify()
		}
		more := end < len(h.readers)
		h.mu.Unlock()
		if !more {
			return
		}
		runtime.Gosched()
	}
}

// Drain refuses new streams, and ends those that are open one after another within
// the time: their readers open them elsewhere.
func (h *Hub) Drain(within time.Duration) {
	h.mu.Lock()
	h.ending = true
	readers := slices.Clone(h.readers)
	h.mu.Unlock()
	if within <= 0 {
		for _, r := range readers {
			r.end(EndDrain)
		}
		return
	}
	for _, r := range readers { // load balancers notice first
		time.AfterFunc(within/2+rand.N(within/2+1), func() { r.end(EndDrain) })
	}
}

var errReaders = errors.New("streams are still open")

// Stop ends every stream, and the loops.
func (h *Hub) Stop(ctx context.Context) error {
	h.Drain(0)
	gone := make(chan struct{})
	go func() { h.gone.Wait(); close(gone) }()
	var err error
	select {
	case <-gone:
	case <-ctx.Done():
		err = errReaders
	}
	h.stop()
	h.done.Wait()
	return err
}
