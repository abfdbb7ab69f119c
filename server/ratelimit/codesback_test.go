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

// watched calls after whenever counters were added to or read.
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

// sent returns how many of n codes are allowed.
func sent(t *testing.T, c *ratelimit.Codes, f ratelimit.CodeRequest, n int) (sent int) {
	t.Helper()
	for range n {
		over, err := c.TakeCode(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if over.Wait == 0 {
			sent++
		}
	}
	return sent
}

// TestCodesRefusedCostOthersNothing checks that a customer who is refused uses up
// nothing that the others of their org may have, even if they hang up meanwhile.
func TestCodesRefusedCostOthersNothing(t *testing.T) {
	clock := storetest.NewClock()
	c, store := newCodes(t, ratelimit.CodesOptions{
		PerCustomer: ratelimit.Limit{Count: 1, Per: time.Hour}, PerOrg: ratelimit.Limit{Count: 10, Per: time.Hour},
	}, clock)
	greedy, other := ratelimit.CodeRequest{CustomerID: "greedy", OrgID: "o"}, ratelimit.CodeRequest{CustomerID: "other", OrgID: "o"}
	sent(t, c, greedy, 1)
	for range 20 {
		ctx, hangUp := context.WithCancel(t.Context())
		store.after = func(int64) { hangUp() }
		_, _ = c.TakeCode(ctx, greedy)
	}
	// The same if two requests at once were both under the limit and exceed it
	// together.
	ctx, hangUp := context.WithCancel(t.Context())
	rival := ratelimit.CodeRequest{CustomerID: "rival", OrgID: "o"}
	store.after = func(int64) {
		store.after = nil
		sent(t, c, rival, 1)
		store.after = func(int64) { hangUp() }
	}
	if over, err := c.TakeCode(ctx, rival); over.Wait == 0 || err != nil {
		t.Errorf("%+v, error %v", over, err)
	}
	store.after = nil
	if n := sent(t, c, other, 1); n != 1 {
		t.Error("another customer of the org is refused")
	}
	left := 0
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		left += sent(t, c, ratelimit.CodeRequest{CustomerID: id, OrgID: "o"}, 1)
	}
	if left != 7 { // of 10: greedy, rival and other had one each
		t.Errorf("the org had %d more", left)
	}
}

// TestCodesGivenBackAfterTheEnd checks that a code which is given back just after
// the end of a window does not make the next window larger.
func TestCodesGivenBackAfterTheEnd(t *testing.T) {
	clock := storetest.NewClock()
	c, store := newCodes(t, ratelimit.CodesOptions{PerPhone: ratelimit.Limit{Count: 5, Per: 10 * time.Minute}}, clock)
	f := ratelimit.CodeRequest{Phone: "+15555550136"}
	sent(t, c, f, 4)
	clock.Advance(10*time.Minute - time.Millisecond)
	// Another request takes the last code between the check and the count, and
	// the window ends between the count and giving back.
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
