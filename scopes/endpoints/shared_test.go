package endpoints

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSharedLists: equal lists are read once and share their memory.
func TestSharedLists(t *testing.T) {
	read := func(patterns ...string) Set {
		t.Helper()
		s, err := Parse(patterns)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	mine := []string{"GET /shared/a", "GET /shared/b"}
	first := read(mine...)
	if again := read("GET /shared/a", "GET /shared/b"); again != first {
		t.Error("equal lists are read twice")
	}
	for _, other := range [][]string{{"GET /shared/b", "GET /shared/a"}, {"GET /shared/a"}, {"GET /shared/a", "GET /shared/b", "GET /shared/c"}} {
		if read(other...) == first {
			t.Errorf("%q shares another list", other)
		}
	}
	if _, err := Parse([]string{"GET /shared/a\nGET /shared/b"}); !errors.Is(err, ErrPattern) {
		t.Errorf("a pattern that looks like two that are known: %v", err)
	}
	mine[0] = "GET /other"
	if got := first.Patterns(); !slices.Equal(got, []string{"GET /shared/a", "GET /shared/b"}) {
		t.Errorf("patterns %q", got)
	}
	if read().Patterns() != nil {
		t.Error("no list has patterns")
	}
	runtime.KeepAlive(first)
}

// TestSharedListsAreForgotten: what no token has any more takes no memory.
func TestSharedListsAreForgotten(t *testing.T) {
	for i := range 1000 {
		if _, err := Parse([]string{fmt.Sprint("GET /forgotten/", i)}); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (n int) {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		for key := range shared.known {
			if strings.Contains(key, "/forgotten/") {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(30 * time.Second); left() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d lists are left", left())
		}
		runtime.GC()
	}
}

// TestSharedListsInParallel is for the race detector.
func TestSharedListsInParallel(t *testing.T) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 300 {
				want := []string{fmt.Sprint("GET /parallel/", i%7)}
				s, err := Parse(want)
				if err != nil || !slices.Equal(s.Patterns(), want) {
					t.Errorf("%q: %q, %v", want, s.Patterns(), err)
				}
				if i%100 == 0 {
					runtime.GC()
				}
			}
		})
	}
	all.Wait()
}
