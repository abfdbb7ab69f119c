package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
)

func limitChecks() []check {
	return []check{
		{"HitsAddUp", hitsAddUp},
		{"ReadingCountsNothing", hitsRead},
		{"AWindowEnds", hitsEnd},
		{"HitsAtOnceLoseNothing", hitsAtOnce},
		{"NoHits", hitsNone},
		{"ResetHits", hitsReset},
	}
}

func hits(t *testing.T, s store.Store, list ...store.Hit) []store.Count {
	t.Helper()
	return must[[]store.Count](t)(s.AddHits(within(t), list...))
}

func hitsAddUp(t *testing.T, o Opened) {
	a, b := store.Hit{Key: "a", N: 2, Window: time.Minute}, store.Hit{Key: "b", N: 5, Window: time.Hour}
	hits(t, o.Store, a)
	got := hits(t, o.Store, b, a)
	same(t, "counts", []int64{got[0].N, got[1].N}, []int64{5, 4})
	for i, window := range []time.Duration{time.Hour, time.Minute} {
		if left := got[i].Left; left <= window-10*time.Second || left > window {
			t.Errorf("%v left of a window of %v", left, window)
		}
	}
}

func hitsRead(t *testing.T, o Opened) {
	read := store.Hit{Key: "a", Window: time.Minute}
	same(t, "count of nothing", hits(t, o.Store, read)[0], store.Count{})
	hits(t, o.Store, store.Hit{Key: "a", N: 3, Window: time.Minute})
	same(t, "count", hits(t, o.Store, read, read)[1].N, int64(3))
}

func hitsEnd(t *testing.T, o Opened) {
	a := store.Hit{Key: "a", N: 1, Window: time.Minute}
	hits(t, o.Store, a)
	o.Advance(50 * time.Second)
	same(t, "count inside the window", hits(t, o.Store, a)[0].N, int64(2)) // a hit does not lengthen the window
	o.Advance(11 * time.Second)
	got := hits(t, o.Store, a)[0]
	same(t, "count after the window", got.N, int64(1))
	if got.Left <= 50*time.Second {
		t.Errorf("%v left of a new window", got.Left)
	}
}

func hitsReset(t *testing.T, o Opened) {
	a, b := store.Hit{Key: "a", N: 2, Window: time.Minute}, store.Hit{Key: "b", N: 5, Window: time.Hour}
	hits(t, o.Store, a, b)
	ok(t, o.Store.ResetHits(within(t)))
	ok(t, o.Store.ResetHits(within(t), "a", "absent"))
	a.N, b.N = 0, 0
	got := hits(t, o.Store, a, b)
	same(t, "counts", []int64{got[0].N, got[1].N}, []int64{0, 5})
	o.Advance(30 * time.Second)
	a.N = 1
	if got := hits(t, o.Store, a)[0]; got.N != 1 || got.Left <= 50*time.Second {
		t.Errorf("%d hits, and %v left of a new window", got.N, got.Left)
	}
}

func hitsAtOnce(t *testing.T, o Opened) {
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := o.Store.AddHits(within(t), store.Hit{Key: "a", N: 2, Window: time.Minute}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	same(t, "count", hits(t, o.Store, store.Hit{Key: "a", Window: time.Minute})[0].N, int64(100))
}

func hitsNone(t *testing.T, o Opened) {
	same(t, "counts", len(hits(t, o.Store)), 0)
	var many []store.Hit
	for i := range 1000 {
		many = append(many, store.Hit{Key: fmt.Sprint(i), N: int64(i), Window: time.Minute})
	}
	for i, c := range hits(t, o.Store, many...) {
		same(t, "count", c.N, int64(i))
	}
}
