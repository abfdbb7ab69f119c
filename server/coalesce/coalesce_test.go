package coalesce

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// TestRunsAreNotJoined shows that calls during a run share the next one.
func TestRunsAreNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		runs, release := []int{}, make(chan struct{})
		run := func(callers int) (int, error) {
			<-release
			runs = append(runs, callers)
			return len(runs), nil
		}
		var places [4]int
		var all sync.WaitGroup
		call := func(i, wantRun, wantCallers int) {
			all.Go(func() {
				v, callers, place, err := g.Do(t.Context(), "billing", run)
				if v != wantRun || callers != wantCallers || err != nil {
					t.Errorf("call %d: run %d of %d callers, error %v, want %d of %d", i, v, callers, err, wantRun, wantCallers)
				}
				places[i] = place
			})
			synctest.Wait()
		}
		call(0, 1, 1)
		call(1, 2, 3)
		call(2, 2, 3)
		call(3, 2, 3)
		close(release)
		all.Wait()
		if !slices.Equal(runs, []int{1, 3}) {
			t.Errorf("runs of %v callers, want [1 3]", runs)
		}
		slices.Sort(places[1:])
		if !slices.Equal(places[:], []int{0, 0, 1, 2}) {
			t.Errorf("places %v", places)
		}
		synctest.Wait()
		if len(g.next) != 0 {
			t.Errorf("%d keys are kept", len(g.next))
		}
	})
}

func TestKeysDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, string]
		release := make(chan struct{})
		go func() {
			_, _, _, _ = g.Do(t.Context(), "slow", func(int) (string, error) { <-release; return "", nil })
		}()
		synctest.Wait()
		if v, _, _, err := g.Do(t.Context(), "quick", func(int) (string, error) { return "done", nil }); v != "done" || err != nil {
			t.Errorf("%q %v", v, err)
		}
		close(release)
		synctest.Wait()
	})
}

// TestCallerThatLeavesIsCounted also shows that a caller that gives up does not
// stop the others.
func TestCallerThatLeavesIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Group[string, int]
		release := make(chan struct{})
		run := func(callers int) (int, error) { <-release; return callers, nil }
		go func() { _, _, _, _ = g.Do(t.Context(), "k", run) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, _, _, err := g.Do(ctx, "k", run)
			gone <- err
		}()
		synctest.Wait()
		stays := make(chan int)
		go func() {
			v, _, _, _ := g.Do(t.Context(), "k", run)
			stays <- v
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller that left: %v", err)
		}
		close(release)
		if n := <-stays; n != 2 {
			t.Errorf("a run of %d callers, want 2", n)
		}
		synctest.Wait()
	})
}

func TestErrorsAndPanicsReachTheCaller(t *testing.T) {
	var g Group[string, int]
	failed := errors.New("failed")
	if _, _, _, err := g.Do(t.Context(), "k", func(int) (int, error) { return 0, failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, _, _, err := g.Do(t.Context(), "k", func(int) (int, error) { panic("oops") }); err == nil {
		t.Error("a panic must become an error")
	}
}
