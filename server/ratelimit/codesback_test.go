package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// watched calls after when counters were added to, or asked.
type watched struct {
	store.Limits
	after func(n int64)
}

func (w *watched) AddHits(ctx context.Context, hits ...store.Hit) ([]store.Count, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	counts, err := w.Limits.AddHits(ctx, hits...)
	if w.after != nil {
		w.after(hits[0].N)
	}
	return counts, err
}

func newCodes(t *testing.T, o ratelimit.CodesOptions, clock *storetest.Clock) (*ratelimit.Codes, *watched) {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := &watched{Limits: s}
	o.Store, o.Key, o.Hit = w, []byte("key"), func(string) {}
	return ratelimit.NewCodes(o), w
}

// sent answers how many of n codes are let through.
func sent(t *testing.T, c *ratelimit.Codes, f ratelimit.For, n int) (sent int) {
	t.Helper()
	for range n {
		wait, err := c.Take(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if wait == 0 {
			sent++
		}
	}
	return sent
}

// One customer who is refused takes nothing from the others of his org, also
// if he hangs up in the middle of it.
func TestCodesRefusedCostOthersNothing(t *testing.T) {
	clock := storetest.NewClock()
	c, store := newCodes(t, ratelimit.CodesOptions{
		PerCustomer: ratelimit.Limit{Count: 1, Per: time.Hour}, PerOrg: ratelimit.Limit{Count: 10, Per: time.Hour},
	}, clock)
	greedy, other := ratelimit.For{CustomerID: "greedy", OrgID: "o"}, ratelimit.For{CustomerID: "other", OrgID: "o"}
	sent(t, c, greedy, 1)
	for range 20 {
		ctx, hangUp := context.WithCancel(t.Context())
		store.after = func(int64) { hangUp() }
		_, _ = c.Take(ctx, greedy)
	}
	// The same for those who were let in together, and passed the limit together.
	ctx, hangUp := context.WithCancel(t.Context())
	rival := ratelimit.For{CustomerID: "rival", OrgID: "o"}
	store.after = func(int64) {
		store.after = nil
		sent(t, c, rival, 1)
		store.after = func(int64) { hangUp() }
	}
	if wait, err := c.Take(ctx, rival); wait == 0 || err != nil {
		t.Errorf("wait %s, error %v", wait, err)
	}
	store.after = nil
	if n := sent(t, c, other, 1); n != 1 {
		t.Error("another customer of the org is refused")
	}
	left := 0
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		left += sent(t, c, ratelimit.For{CustomerID: id, OrgID: "o"}, 1)
	}
	if left != 7 { // of 10: greedy, rival and other had one each
		t.Errorf("the org had %d more", left)
	}
}

// What is given back when a window has just ended does not make the next one
// larger.
func TestCodesGivenBackAfterTheEnd(t *testing.T) {
	clock := storetest.NewClock()
	c, store := newCodes(t, ratelimit.CodesOptions{PerPhone: ratelimit.Limit{Count: 5, Per: 10 * time.Minute}}, clock)
	f := ratelimit.For{Phone: "+15555550136"}
	sent(t, c, f, 4)
	clock.Advance(10*time.Minute - time.Millisecond)
	// Another takes the last one between asking and counting, and the window
	// ends between counting and giving back.
	store.after = func(int64) {
		store.after = nil
		sent(t, c, f, 1)
		store.after = func(int64) { clock.Advance(time.Millisecond) }
	}
	if n := sent(t, c, f, 1); n != 0 {
		t.Error("one too many")
	}
	store.after = nil
	if n := sent(t, c, f, 100); n > 5 {
		t.Errorf("%d codes in a window of 5", n)
	}
}
