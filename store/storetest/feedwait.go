package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func feedWaitChecks() []check {
	return []check{
		{"AppendWakesTheReaders", waitWakes},
		{"NoWaitWhenThereAreEntries", waitNotNeeded},
		{"WaitsNoLongerThanAsked", waitEnds},
		{"CancelEndsTheWait", waitCancel},
		{"DeadlineEndsTheWait", waitDeadline},
		{"CloseEndsTheWait", waitClose},
	}
}

// soon is much less than patience, which is how long a reader would wait, and
// much more than a wake-up takes.
const soon = patience / 4

// inTime runs f and fails the test if it takes longer than soon.
func inTime(t *testing.T, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > soon {
		t.Fatalf("%s took %v", what, took)
	}
}

func waitWakes(t *testing.T, o Opened) {
	const readers = 5
	ctx, after := within(t), store.Position{}
	for range 3 {
		next := void(o.Now(), "next")
		got := make([][]store.Entry, readers)
		inTime(t, "waking", func() {
			done := make(chan struct{})
			go func() {
				defer close(done)
				concurrently(readers, func(i int) {
					var err error
					if got[i], err = o.Store.ReadFeed(ctx, after, patience); err != nil {
						t.Error(err)
					}
				})
			}()
			ok(t, o.Store.Ping(ctx)) // so that readers are likely to wait
			appended(t, o.Store, next)
			<-done
		})
		for i := range got {
			sameEntries(t, got[i], []store.Entry{next})
		}
		after = got[0][0].Position
	}
}

func waitNotNeeded(t *testing.T, o Opened) {
	want := voids(o.Now(), 3)
	appended(t, o.Store, want...)
	inTime(t, "a read of existing entries", func() {
		sameEntries(t, must[[]store.Entry](t)(o.Store.ReadFeed(within(t), store.Position{}, patience)), want)
	})
}

func waitEnds(t *testing.T, o Opened) {
	const wait = 60 * time.Millisecond
	for range 2 {
		start := time.Now()
		after := store.Position{}
		if entries := read(t, o.Store, after); len(entries) > 0 {
			after = entries[0].Position
		}
		inTime(t, "a short wait", func() {
			sameEntries(t, must[[]store.Entry](t)(o.Store.ReadFeed(within(t), after, wait)), nil)
		})
		if took := time.Since(start); took < wait/2 {
			t.Fatalf("waited %v, want about %v", took, wait)
		}
		appended(t, o.Store, void(o.Now(), "a"))
	}
}

func waitCancel(t *testing.T, o Opened) {
	ctx, cancel := context.WithCancel(within(t))
	var err error
	inTime(t, "canceling", func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err = o.Store.ReadFeed(ctx, store.Position{}, patience)
		}()
		ok(t, o.Store.Ping(within(t)))
		cancel()
		<-done
	})
	wants(t, "a canceled wait", err, store.ErrUnavailable)
}

func waitDeadline(t *testing.T, o Opened) {
	ctx, cancel := context.WithTimeout(within(t), 60*time.Millisecond)
	defer cancel()
	inTime(t, "a deadline", func() {
		_, err := o.Store.ReadFeed(ctx, store.Position{}, patience)
		wants(t, "a wait beyond the deadline", err, store.ErrUnavailable)
	})
	sameEntries(t, read(t, o.Store, store.Position{}), nil)
}

func waitClose(t *testing.T, o Opened) {
	ctx := within(t)
	var err error
	inTime(t, "closing", func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err = o.Store.ReadFeed(ctx, store.Position{}, patience)
		}()
		ok(t, o.Store.Ping(ctx))
		ok(t, o.Store.Close())
		<-done
	})
	wants(t, "a wait on a closed store", err, store.ErrUnavailable)
}
