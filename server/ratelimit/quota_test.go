package ratelimit_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
)

func (w *world) quota(count int, enforce bool, log *bytes.Buffer) *ratelimit.Quota {
	return ratelimit.NewQuota(ratelimit.QuotaOptions{
		Name: ratelimit.IssuePerClient, Store: w.store, Key: []byte("key"), Now: w.clock.Now, Enforce: enforce,
		Limit: ratelimit.Limit{Count: count, Per: time.Minute}, Log: slog.New(slog.NewTextHandler(log, nil)),
		Hit: func(limit string) { w.hits[limit]++ }, Chatty: func() { w.hits["chatty"]++ },
	})
}

func TestQuotaIsSharedAndEnds(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	a, b := w.quota(10, true, &log), w.quota(10, true, &log)
	for range 5 {
		if a.TakeToken("billing") != 0 || b.TakeToken("billing") != 0 {
			t.Fatal("refused within the quota")
		}
	}
	for range 2 { // each reads what the other has shared
		a.ShareCounts(t.Context())
		b.ShareCounts(t.Context())
		a.TakeToken("shipping") // so that there is something to share
	}
	if wait := b.TakeToken("billing"); wait <= 0 || wait > time.Minute {
		t.Errorf("token 11: wait %v", wait)
	}
	if a.TakeToken("shipping") != 0 {
		t.Error("another client is refused too")
	}
	w.clock.Advance(61 * time.Second)
	if b.TakeToken("billing") != 0 {
		t.Error("still refused after the window")
	}
	if strings.Count(log.String(), "over its issue quota") != 1 || w.hits[ratelimit.IssuePerClient] != 1 {
		t.Errorf("log %q, hits %v", log.String(), w.hits)
	}
}

func TestQuotaThatOnlyLogs(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	q := w.quota(1, false, &log)
	for range 3 {
		if q.TakeToken("billing") != 0 {
			t.Fatal("refused")
		}
	}
	if w.hits[ratelimit.IssuePerClient] != 2 || strings.Count(log.String(), "over its issue quota") != 1 {
		t.Errorf("hits %v, log %q", w.hits, log.String())
	}
}

// TestQuotaWarnsOnceInEachWindow checks that there is one warning in a window, even
// though sharing moves its end: the store's window begins with the first hit that
// is shared.
func TestQuotaWarnsOnceInEachWindow(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	q := w.quota(1, false, &log)
	for window := 1; window <= 2; window++ {
		for range 10 {
			q.TakeToken("billing")
			q.TakeToken("billing") // over the quota before the first is shared
			w.clock.Advance(100 * time.Millisecond)
			q.ShareCounts(t.Context())
		}
		if n := strings.Count(log.String(), "over its issue quota"); n != window {
			t.Errorf("%d warnings in %d windows", n, window)
		}
		w.clock.Advance(time.Minute)
	}
}

func TestHintForClientsThatDontCache(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	q := w.quota(0, true, &log)
	for range 412 {
		q.TakeToken("billing")
		q.RecordIssue("billing", time.Hour)
	}
	q.TakeToken("shipping")
	q.RecordIssue("shipping", time.Hour)
	q.ReportUncached()
	if log.Len() > 0 {
		t.Error("hint before the minute is over")
	}
	w.clock.Advance(time.Minute)
	q.ReportUncached()
	if !strings.Contains(log.String(), "client_id=billing tokens_last_minute=412 token_lives_seconds=3600") || strings.Contains(log.String(), "shipping") || w.hits["chatty"] != 1 {
		t.Errorf("log %q, hits %v", log.String(), w.hits)
	}
}

// TestQuotaStartsAgainWithEachWindow checks that tokens which were issued just
// before the end of a window, and not shared yet, do not count in the next one.
func TestQuotaStartsAgainWithEachWindow(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	q := w.quota(10, true, &log)
	for range 10 {
		q.TakeToken("billing")
	}
	w.clock.Advance(61 * time.Second)
	for i := range 10 {
		if q.TakeToken("billing") != 0 {
			t.Fatalf("token %d of the new window is refused", i+1)
		}
	}
}

// TestQuotaWithoutTheStore checks that the tokens issued here still count when the
// store is down.
func TestQuotaWithoutTheStore(t *testing.T) {
	w := newWorld(t)
	w.store.Fail("AddHits", store.ErrUnavailable)
	var log bytes.Buffer
	q := w.quota(10, true, &log)
	for i := range 10 {
		if q.TakeToken("billing") != 0 {
			t.Fatalf("token %d is refused", i+1)
		}
		q.ShareCounts(t.Context())
	}
	if q.TakeToken("billing") == 0 {
		t.Error("token 11 is not refused")
	}
	if !strings.Contains(log.String(), "quota not shared") {
		t.Errorf("log %q", log.String())
	}
}

// TestQuotaOfAnEndedWindowIsNotShared checks that what was issued just before the
// end of a window does not count in the next one of the store, although the
// client issued nothing since.
func TestQuotaOfAnEndedWindowIsNotShared(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	q, other := w.quota(10, true, &log), w.quota(10, true, &log)
	for range 10 {
		q.TakeToken("billing")
	}
	w.clock.Advance(61 * time.Second)
	q.ShareCounts(t.Context())
	other.TakeToken("billing")
	other.ShareCounts(t.Context())
	for i := range 9 {
		if other.TakeToken("billing") != 0 {
			t.Fatalf("token %d of the new window is refused", i+2)
		}
	}
}

// TestQuotaWhoseWindowEndsWhileItIsShared checks the same for counts whose sharing
// fails after the window has ended.
func TestQuotaWhoseWindowEndsWhileItIsShared(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	q := w.quota(10, true, &log)
	for range 10 {
		q.TakeToken("billing")
	}
	w.store.Hook("AddHits", func() {
		w.clock.Advance(61 * time.Second)
		if q.TakeToken("billing") != 0 {
			t.Error("the first token of the new window is refused")
		}
	})
	w.store.FailAfter("AddHits", store.ErrUnavailable)
	q.ShareCounts(t.Context())
	if q.TakeToken("billing") != 0 {
		t.Error("the second token of the new window is refused")
	}
}

// TestQuotaOfOthers: a principal key has a separate count, and the log and the audit
// name it as what it is.
func TestQuotaOfOthers(t *testing.T) {
	w := newWorld(t)
	var log bytes.Buffer
	var over []string
	q := ratelimit.NewQuota(ratelimit.QuotaOptions{
		Name: ratelimit.RevocationsPerClient, Of: ratelimit.OfClients, Store: w.store, Key: []byte("key"), Now: w.clock.Now, Enforce: true,
		Limit: ratelimit.Limit{Count: 1, Per: time.Minute}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Hit: func(string) {}, Over: func(owner, _ string) { over = append(over, owner) },
	})
	for _, id := range []string{"10001", store.PrincipalCustomer("10001"), store.PrincipalCustomer("10002"), store.PrincipalPartner("10001")} {
		if q.TakeToken(id) != 0 {
			t.Errorf("%s is refused because of another", id)
		}
	}
	for _, id := range []string{"10001", store.PrincipalCustomer("10001"), store.PrincipalPartner("10001")} {
		if q.TakeToken(id) == 0 {
			t.Errorf("%s is not refused", id)
		}
	}
	if got := strings.Join(over, " "); got != "client:10001 customer:10001 partner:10001" {
		t.Errorf("over the limit: %s", got)
	}
	for _, want := range []string{"client is over its revocation quota", "client_id=10001", "customer is over its revocation quota", "customer_id=10001", "partner_id=10001"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q: %s", want, log.String())
		}
	}
}
