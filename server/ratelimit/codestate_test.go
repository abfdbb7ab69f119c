package ratelimit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
)

// read returns what the limits of w.codes have counted for the customer 1.
func read(t *testing.T, c *ratelimit.Codes, phones ...string) (sent int64, over ratelimit.Refusal) {
	t.Helper()
	s, err := c.ReadCodes(t.Context(), ratelimit.CodesOf{CustomerID: "1", OrgID: "acme", Phones: phones})
	if err != nil {
		t.Fatal(err)
	}
	if s.Sent == nil {
		t.Fatal("nothing is counted")
	}
	return *s.Sent, s.Over
}

// TestReadCodes: the limit that refuses for the longest time is named, and reading
// counts nothing, neither a code nor a hit.
func TestReadCodes(t *testing.T) {
	w := newWorld(t)
	codes := w.codes()
	for i, want := range []ratelimit.Refusal{{}, {}, {Limit: ratelimit.CodesPerPhone, Wait: 10 * time.Minute}} {
		for range 3 {
			if sent, over := read(t, codes, "+2", "+1"); sent != int64(i) || over != want {
				t.Errorf("after %d codes: %d, %+v", i, sent, over)
			}
		}
		taken(t, codes, "+1", "1", "a")
	}
	taken(t, codes, "+2", "1", "b")
	if sent, over := read(t, codes, "+1", "+2"); sent != 3 || over.Limit != ratelimit.CodesPerCustomer || over.Wait != 24*time.Hour {
		t.Errorf("%d, %+v", sent, over)
	}
	if len(w.hits) != 1 || w.hits[ratelimit.CodesPerPhone] != 1 {
		t.Errorf("hits %v", w.hits)
	}
	taken(t, codes, "+3", "2", "b")
	taken(t, codes, "+4", "3", "c")
	w.clock.Advance(time.Minute)
	if _, over := read(t, codes); over.Limit != ratelimit.CodesPerCustomer && over.Limit != ratelimit.CodesPerOrg {
		t.Errorf("%+v", over)
	}
	w.clock.Advance(24 * time.Hour)
	if sent, over := read(t, codes, "+1"); sent != 0 || over != (ratelimit.Refusal{}) {
		t.Errorf("a day later: %d, %+v", sent, over)
	}
}

// TestResetCodes: a reset gives the customer and their numbers room again, and
// leaves what others share.
func TestResetCodes(t *testing.T) {
	w := newWorld(t)
	codes := w.codes()
	taken(t, codes, "+1", "1", "a")
	taken(t, codes, "+1", "1", "a")
	taken(t, codes, "+2", "1", "a")
	of := ratelimit.CodesOf{CustomerID: "1", OrgID: "acme", Phones: []string{"+1", "+2"}}
	if err := codes.ResetCodes(t.Context(), of); err != nil {
		t.Fatal(err)
	}
	if sent, over := read(t, codes, "+1", "+2"); sent != 0 || over != (ratelimit.Refusal{}) {
		t.Errorf("%d, %+v", sent, over)
	}
	if !taken(t, codes, "+1", "1", "a") {
		t.Error("refused after the reset")
	}
	if taken(t, codes, "+1", "1", "a") {
		t.Error("the client's fifth code is not refused")
	}
	w.store.Fail("ResetHits", store.ErrUnavailable)
	if err := codes.ResetCodes(t.Context(), of); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

// TestReadCodesWithoutLimits: nothing is counted, and the store is not used.
func TestReadCodesWithoutLimits(t *testing.T) {
	w := newWorld(t)
	w.store.Fail("AddHits", store.ErrUnavailable)
	s, err := ratelimit.NewCodes(ratelimit.CodesOptions{Store: w.store}).ReadCodes(t.Context(), ratelimit.CodesOf{CustomerID: "1"})
	if err != nil || s.Sent != nil || s.Over.Limit != "" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := w.codes().ReadCodes(t.Context(), ratelimit.CodesOf{CustomerID: "1"}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}
