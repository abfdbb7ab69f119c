package ratelimit_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
)

// codes returns limits of 2 codes for a phone, 3 for a customer, 4 for a client
// and 5 for an org.
func (w *world) codes() *ratelimit.Codes {
	return ratelimit.NewCodes(ratelimit.CodesOptions{
		Store: w.store, Key: []byte("key"), Hit: func(limit string) { w.hits[limit]++ },
		PerPhone:    ratelimit.Limit{Count: 2, Per: 10 * time.Minute},
		PerCustomer: ratelimit.Limit{Count: 3, Per: 24 * time.Hour},
		PerClient:   ratelimit.Limit{Count: 4, Per: time.Hour},
		PerOrg:      ratelimit.Limit{Count: 5, Per: 24 * time.Hour},
	})
}

// taken reports whether the code may be sent.
func taken(t *testing.T, c *ratelimit.Codes, phone, customer, client string) bool {
	t.Helper()
	over, err := c.TakeCode(t.Context(), ratelimit.CodeRequest{Phone: phone, CustomerID: customer, ClientID: client, OrgID: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return over.Wait == 0
}

func TestCodesAreBoundedByEachLimit(t *testing.T) {
	for _, c := range []struct {
		limit string
		most  int
		wait  time.Duration
		ask   func(i int) ratelimit.CodeRequest
	}{
		{ratelimit.CodesPerPhone, 2, 10 * time.Minute, func(i int) ratelimit.CodeRequest {
			return ratelimit.CodeRequest{Phone: "+1", CustomerID: string(rune('a' + i)), ClientID: string(rune('a' + i)), OrgID: string(rune('a' + i))}
		}},
		{ratelimit.CodesPerCustomer, 3, 24 * time.Hour, func(i int) ratelimit.CodeRequest {
			return ratelimit.CodeRequest{Phone: string(rune('a' + i)), CustomerID: "1", ClientID: string(rune('a' + i)), OrgID: string(rune('a' + i))}
		}},
		{ratelimit.CodesPerClient, 4, time.Hour, func(i int) ratelimit.CodeRequest {
			return ratelimit.CodeRequest{Phone: string(rune('a' + i)), CustomerID: string(rune('a' + i)), ClientID: "1", OrgID: string(rune('a' + i))}
		}},
		{ratelimit.CodesPerOrg, 5, 24 * time.Hour, func(i int) ratelimit.CodeRequest {
			return ratelimit.CodeRequest{Phone: string(rune('a' + i)), CustomerID: string(rune('a' + i)), ClientID: string(rune('a' + i)), OrgID: "1"}
		}},
	} {
		t.Run(c.limit, func(t *testing.T) {
			w := newWorld(t)
			codes := w.codes()
			for i := range 10 {
				over, err := codes.TakeCode(t.Context(), c.ask(i))
				if err != nil {
					t.Fatal(err)
				}
				if refused := i >= c.most; refused != (over.Wait > 0) || refused && over != (ratelimit.Refusal{Limit: c.limit, Wait: c.wait}) {
					t.Errorf("code %d: %+v", i+1, over)
				}
			}
			if diff := cmp.Diff(map[string]int{c.limit: 10 - c.most}, w.hits); diff != "" {
				t.Errorf("hits (-want +got):\n%s", diff)
			}
			w.clock.Advance(c.wait)
			if over, err := codes.TakeCode(t.Context(), c.ask(0)); over != (ratelimit.Refusal{}) || err != nil {
				t.Errorf("after the window: %v, %v", over, err)
			}
		})
	}
}

// TestRefusedCodeIsCountedNowhere checks that no limit counts a code that another
// limit refuses: a refused request must not use up what others may have.
func TestRefusedCodeIsCountedNowhere(t *testing.T) {
	w := newWorld(t)
	codes := w.codes()
	for i := range 20 {
		if got := taken(t, codes, "+1", "1", "backend"); got != (i < 2) {
			t.Fatalf("code %d: %v", i+1, got)
		}
	}
	for i, want := range []bool{true, false} { // the customer's third and fourth
		if got := taken(t, codes, "+2", "1", "backend"); got != want {
			t.Errorf("another phone, code %d: %v", i+1, got)
		}
	}
	for i, want := range []bool{true, false} { // the client's fourth and fifth
		if got := taken(t, codes, "+3", "2", "backend"); got != want {
			t.Errorf("another customer, code %d: %v", i+1, got)
		}
	}
}

func TestCodesAtOnce(t *testing.T) {
	w := newWorld(t)
	c := ratelimit.NewCodes(ratelimit.CodesOptions{
		Store: w.store, Key: []byte("key"), Hit: func(string) {}, PerPhone: ratelimit.Limit{Count: 5, Per: time.Minute},
	})
	var sent atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			over, err := c.TakeCode(t.Context(), ratelimit.CodeRequest{Phone: "+1"})
			if err != nil {
				t.Error(err)
			} else if over.Wait == 0 {
				sent.Add(1)
			}
		})
	}
	all.Wait()
	if sent.Load() != 5 {
		t.Errorf("%d codes, want 5", sent.Load())
	}
}

// TestCodesWithoutTheStore checks that a code which cannot be counted is refused,
// and that without limits the store is not used.
func TestCodesWithoutTheStore(t *testing.T) {
	w := newWorld(t)
	w.store.Fail("AddHits", store.ErrUnavailable)
	if _, err := w.codes().TakeCode(t.Context(), ratelimit.CodeRequest{Phone: "+1"}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	none := ratelimit.NewCodes(ratelimit.CodesOptions{Store: w.store})
	if over, err := none.TakeCode(t.Context(), ratelimit.CodeRequest{Phone: "+1"}); over.Wait != 0 || err != nil {
		t.Errorf("without limits: %v, %v", over, err)
	}
}

// TestCodeCountersAreApart checks that the four limits, and the count of a day,
// count the same name separately.
func TestCodeCountersAreApart(t *testing.T) {
	w := newWorld(t)
	keys := recordedKeys{Limits: w.store}
	codes := ratelimit.NewCodes(ratelimit.CodesOptions{
		Store: &keys, Key: []byte("key"), Hit: func(string) {},
		PerPhone: ratelimit.Limit{Count: 1, Per: time.Hour}, PerCustomer: ratelimit.Limit{Count: 1, Per: time.Hour},
		PerClient: ratelimit.Limit{Count: 1, Per: time.Hour}, PerOrg: ratelimit.Limit{Count: 1, Per: time.Hour},
	})
	const same = "+15555550136"
	if over, err := codes.TakeCode(t.Context(), ratelimit.CodeRequest{Phone: same, CustomerID: same, ClientID: same, OrgID: same}); over.Wait != 0 || err != nil {
		t.Errorf("%v, %v", over, err)
	}
	if len(keys.seen) != 5 {
		t.Errorf("%d counters, want 5: %v", len(keys.seen), keys.seen)
	}
}

type recordedKeys struct {
	store.Limits
	seen map[string]bool
}

func (r *recordedKeys) AddHits(ctx context.Context, hits ...store.Hit) ([]store.Count, error) {
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	for _, h := range hits {
		r.seen[h.Key] = true
	}
	return r.Limits.AddHits(ctx, hits...)
}
