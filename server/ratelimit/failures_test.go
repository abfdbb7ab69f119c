package ratelimit_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

type world struct {
	store *storetest.Faulty
	clock *storetest.Clock
	hits  map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: storetest.NewClock(), hits: map[string]int{}}
	s, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.store = storetest.NewFaulty(s)
	return w
}

// replica returns one of several replicas that share the store.
func (w *world) replica(perClient, perAddress int) *ratelimit.Failures {
	return ratelimit.NewFailures(ratelimit.Options{
		Store: w.store, Key: []byte("key"), Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
		PerClientAndAddress: ratelimit.Limit{Count: perClient, Per: time.Minute},
		PerAddress:          ratelimit.Limit{Count: perAddress, Per: time.Minute},
		Hit:                 func(limit string) { w.hits[limit]++ },
	})
}

var here, elsewhere = netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("198.51.100.1")

func TestFailuresAreRefusedAfterTheLimit(t *testing.T) {
	w := newWorld(t)
	f := w.replica(20, 300)
	for i := range 20 {
		if wait := f.RecordFailure(t.Context(), guess("billing", here)); wait != 0 {
			t.Fatalf("failure %d is refused for %v", i+1, wait)
		}
	}
	if wait := f.CheckShared(t.Context(), guess("billing", here)); wait == 0 {
		t.Error("a slow hash would be computed after the last allowed failure")
	}
	if wait := f.RecordFailure(t.Context(), guess("billing", here)); wait <= 0 || wait > time.Minute {
		t.Errorf("failure 21: wait %v", wait)
	}
	if f.CheckLocal(guess("billing", here)) == 0 {
		t.Error("not remembered")
	}
	if f.CheckLocal(guess("billing", elsewhere)) != 0 || f.CheckLocal(guess("shipping", here)) != 0 {
		t.Error("another address or client is refused too")
	}
	w.clock.Advance(61 * time.Second)
	if f.CheckLocal(guess("billing", here)) != 0 || f.RecordFailure(t.Context(), guess("billing", here)) != 0 {
		t.Error("still refused after the window")
	}
	if w.hits[ratelimit.PerClientAndAddress] == 0 {
		t.Error("refusals are not counted")
	}
}

func TestReplicasShareTheCount(t *testing.T) {
	w := newWorld(t)
	a, b := w.replica(20, 0), w.replica(20, 0)
	for range 10 {
		a.RecordFailure(t.Context(), guess("billing", here))
		b.RecordFailure(t.Context(), guess("billing", here))
	}
	if a.RecordFailure(t.Context(), guess("billing", here)) == 0 || b.RecordFailure(t.Context(), guess("billing", here)) == 0 {
		t.Error("each replica counts for itself")
	}
}

func TestAnAddressThatTriesManyClients(t *testing.T) {
	w := newWorld(t)
	f := w.replica(20, 30)
	for i := range 30 {
		if f.RecordFailure(t.Context(), guess(fmt.Sprint("client", i), here)) != 0 {
			t.Fatalf("failure %d is refused", i+1)
		}
	}
	if f.RecordFailure(t.Context(), guess("one-more", here)) == 0 {
		t.Error("failure 31 of the address is not refused")
	}
}

func TestZeroSwitchesOff(t *testing.T) {
	f := newWorld(t).replica(0, 0)
	for range 1000 {
		if f.RecordFailure(t.Context(), guess("billing", here)) != 0 {
			t.Fatal("refused")
		}
	}
}

func TestAStoreThatIsDownRefusesNobody(t *testing.T) {
	w := newWorld(t)
	w.store.Fail("AddHits", store.ErrUnavailable)
	f := w.replica(1, 1)
	for range 5 {
		if f.RecordFailure(t.Context(), guess("billing", here)) != 0 {
			t.Fatal("refused")
		}
	}
}

// TestUncountedGuesses checks that a store that can be read and not written does not
// allow a stranger more than a guess in a second, and that others are not refused.
func TestUncountedGuesses(t *testing.T) {
	w := newWorld(t)
	f := w.replica(100, 100)
	stranger := guess("billing", here)
	stranger.Stranger = true
	w.store.Fail("AddHits", store.ErrUnavailable)
	f.RecordFailure(t.Context(), stranger)
	w.store.Heal("AddHits")
	if f.CheckShared(t.Context(), stranger) == 0 {
		t.Error("a stranger's failure was not counted, and the next guess is checked at once")
	}
	if f.CheckShared(t.Context(), guess("billing", here)) != 0 {
		t.Error("a known network is refused")
	}
	w.clock.Advance(time.Second)
	if f.CheckShared(t.Context(), stranger) != 0 {
		t.Error("refused for longer than a second")
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.7":          "203.0.113.7",
		"::ffff:203.0.113.7":   "203.0.113.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::1":      "2001:db8:1:2::/64",
		"2001:db8:1:3::1":      "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		if got := ratelimit.Network(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s counts as %s, want %s", in, got, want)
		}
	}
	if got := ratelimit.Network(netip.Addr{}); got != "" {
		t.Errorf("no address counts as %q", got)
	}
}

// TestCountersAreBounded checks that the store holds a bounded set of counters
// whatever is tried from wherever, and that their names are no identities.
func TestCountersAreBounded(t *testing.T) {
	w := newWorld(t)
	counters := map[string]bool{}
	f := ratelimit.NewFailures(ratelimit.Options{
		Store: countedKeys{w.store, counters}, Key: []byte("key"), Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
		PerClientAndAddress: ratelimit.Limit{Count: 20, Per: time.Minute}, PerAddress: ratelimit.Limit{Count: 300, Per: time.Minute},
		Hit: func(string) {},
	})
	for i := range 20_000 {
		f.RecordFailure(t.Context(), guess(fmt.Sprint("client", i), netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})))
	}
	for key := range counters {
		n, err := strconv.ParseUint(key[1:], 36, 64)
		if (key[0] != 'c' && key[0] != 'a') || err != nil || n >= 1<<18 {
			t.Fatalf("counter %q is not in the bounded set", key)
		}
	}
	if len(counters) < 20_000 {
		t.Errorf("only %d counters for 40,000 identities: they collide too often", len(counters))
	}
}

// countedKeys records the names of counters, and counts nothing.
type countedKeys struct {
	store.Limits
	keys map[string]bool
}

func (c countedKeys) AddHits(_ context.Context, hits ...store.Hit) ([]store.Count, error) {
	for _, h := range hits {
		c.keys[h.Key] = true
	}
	return make([]store.Count, len(hits)), nil
}

// TestCallersThatLeaveAreCounted checks that a caller who hangs up during the check
// is counted and refused like any other: otherwise each of their guesses would be
// checked.
func TestCallersThatLeaveAreCounted(t *testing.T) {
	w := newWorld(t)
	f, other := w.replica(3, 0), w.replica(3, 0)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 3 {
		if wait := f.RecordFailure(gone, guess("billing", here)); wait != 0 {
			t.Fatalf("failure %d: wait %v", i+1, wait)
		}
	}
	for name, replica := range map[string]*ratelimit.Failures{"here": f, "at another replica": other} {
		if replica.CheckShared(gone, guess("billing", here)) == 0 {
			t.Errorf("%s, a caller that left reaches the slow hash", name)
		}
	}
	if f.RecordFailure(gone, guess("billing", here)) == 0 || f.CheckLocal(guess("billing", here)) == 0 {
		t.Error("one failure too many is not refused")
	}
}

func guess(client string, from netip.Addr) ratelimit.Guess {
	return ratelimit.Guess{ClientID: client, From: from}
}
