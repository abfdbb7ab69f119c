package ratelimit_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/ratelimit"
)

// A client's own limit replaces the configured one from the next token on, in both
// directions, also where the configured one is off, and is shared between replicas.
func TestOwnLimit(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	a, b, off := w.quota(3, true, &log), w.quota(3, true, &log), w.quota(0, true, &log)
	five, one, hourly := ratelimit.Limit{Count: 5, Per: time.Minute}, ratelimit.Limit{Count: 1, Per: time.Minute}, ratelimit.Limit{Count: 2, Per: time.Hour}
	taken := func(q *ratelimit.Quota, id string, own ratelimit.Limit) (n int) {
		for range 20 {
			if q.TakeWithin(id, own) == 0 {
				n++
			}
		}
		return n
	}
	if n := taken(a, "billing", ratelimit.Limit{}); n != 3 {
		t.Errorf("by default: %d tokens", n)
	}
	if n := taken(a, "billing", five); n != 5 {
		t.Errorf("with another window: %d tokens, want 5", n)
	}
	if n := taken(a, "billing", ratelimit.Limit{Count: 7, Per: time.Minute}); n != 2 {
		t.Errorf("raised: %d more tokens, want 2", n)
	}
	if n := taken(a, "billing", one); n != 0 {
		t.Errorf("lowered: %d more tokens", n)
	}
	a.ShareCounts(t.Context())
	b.TakeWithin("billing", five)
	b.ShareCounts(t.Context())
	if n := taken(b, "billing", five); n != 0 {
		t.Errorf("another replica: %d tokens although all are used", n)
	}
	if n := taken(a, "billing", hourly); n != 2 {
		t.Errorf("an hourly limit: %d tokens, want 2", n)
	}
	w.clock.Advance(2 * time.Minute)
	if n := taken(a, "billing", hourly); n != 0 {
		t.Errorf("within the hour: %d tokens", n)
	}
	onItsWay := w.quota(3, true, &log)
	onItsWay.TakeWithin("slow", one)
	w.store.Hook("AddHits", func() {
		if onItsWay.TakeWithin("slow", one) == 0 {
			t.Error("a token is not counted while its count is being shared")
		}
	})
	onItsWay.ShareCounts(t.Context())
	w.store.Heal("AddHits")
	if logs := w.quota(3, false, &log); taken(logs, "free", ratelimit.Limit{}) != 20 || taken(logs, "throttled", five) != 5 {
		t.Error("with mode: log, only the limit of the client's own refuses")
	}
	if n := taken(a, "billing", ratelimit.Limit{}); n != 3 {
		t.Errorf("by default again: %d tokens, want 3", n)
	}
	if n := taken(off, "billing", one); n != 1 {
		t.Errorf("with the configured limit off: %d tokens, want 1", n)
	}
	if n := taken(off, "shipping", ratelimit.Limit{}); n != 20 {
		t.Errorf("off: %d tokens", n)
	}
}

// TestOverNamesTheLimit: the warning, and those who look at limits, learn whether it is
// the client's own limit or the server's; the metric has one name for both.
func TestOverNamesTheLimit(t *testing.T) {
	for want, own := range map[string]ratelimit.Limit{
		ratelimit.OwnIssueLimit:  {Count: 1, Per: time.Hour},
		ratelimit.IssuePerClient: {},
	} {
		w := newWorld(t)
		var log bytes.Buffer
		over := ""
		q := ratelimit.NewQuota(ratelimit.QuotaOptions{
			Name: ratelimit.IssuePerClient, Of: ratelimit.OfClients, Store: w.store, Key: []byte("key"), Now: w.clock.Now, Enforce: true,
			Limit: ratelimit.Limit{Count: 1, Per: time.Minute}, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Hit: func(limit string) { w.hits[limit]++ }, Over: func(owner, limit string) { over += owner + " " + limit },
		})
		for range 3 {
			q.TakeWithin("billing", own)
		}
		if over != "client:billing "+want || !strings.Contains(log.String(), "limit="+want+" ") || w.hits[ratelimit.IssuePerClient] != 2 || q.NameWithin(own) != want {
			t.Errorf("%s: over %q, hits %v, log %s", want, over, w.hits, log.String())
		}
	}
}
