package service_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
)

// shown is what the admin API says of the customer's codes.
type shown struct {
	CustomerID        string     `json:"customer_id"`
	CodesSent24h      *int64     `json:"codes_sent_24h"`
	BlockedBy         *string    `json:"blocked_by"`
	CodesBlockedUntil *time.Time `json:"codes_blocked_until"`
	MutedUntil        *time.Time `json:"muted_until"`
}

func (s shown) by() string {
	if s.BlockedBy == nil {
		return ""
	}
	return *s.BlockedBy
}

func (b *bank) show(t *testing.T, at int) (s shown) {
	t.Helper()
	decodeInto(t, b.admin(t, at, http.MethodGet, "/customers/"+customer, nil), &s)
	return s
}

func decodeInto(t *testing.T, r harness.Response, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.Body), v); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
}

// search returns the ids of the customers that the search finds.
func (b *bank) search(t *testing.T, at int, body map[string]any) (ids []string) {
	t.Helper()
	var found struct{ Customers []shown }
	decodeInto(t, b.admin(t, at, http.MethodPost, "/customers/search", body), &found)
	for _, c := range found.Customers {
		ids = append(ids, c.CustomerID)
	}
	return ids
}

func oneOfEach(c *config.Config) {
	c.Limits.CodesPerPhone = config.Limit{Count: 2, Per: 10 * time.Minute}
	c.Limits.CodesPerCustomer = config.Limit{Count: 3, Per: 24 * time.Hour}
}

// The operator sees how many codes were sent and which limit refuses the next one, on
// each replica, finds the customer among others, and lets them have codes again.
func TestOperatorSeesWhatRefusesCodes(t *testing.T) {
	t.Parallel()
	eachBank(t, oneOfEach, func(t *testing.T, b *bank) {
		b.admin(t, 0, http.MethodPut, "/customers/10002", map[string]any{
			"org_id": "acme", "type": "business", "phone": "+15555550137", "authorized_users": []map[string]string{{"name": "Jane", "phone": "+15555550136"}},
		})
		if s := b.show(t, 1); s.by() != "" || *s.CodesSent24h != 0 || s.CodesBlockedUntil != nil {
			t.Errorf("before: %+v", s)
		}
		b.verification(t, 0, 0)
		b.verification(t, 1, 0)
		s := b.show(t, 1)
		if left := s.CodesBlockedUntil.Sub(b.replicas[1].Clock.Now()); s.by() != "codes_per_phone" || *s.CodesSent24h != 2 || left <= 9*time.Minute || left > 10*time.Minute {
			t.Errorf("%+v, %s left", s, left)
		}
		r := b.ask(t, 0, 0)
		if r.Status != http.StatusTooManyRequests || strings.Contains(r.Body, "phone") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if log := b.replicas[0].Logs.String(); !strings.Contains(log, `"customer_id":"10001","limit":"codes_per_phone"`) {
			t.Error("the log does not name the customer and the limit")
		}
		// Jane has the same number, so both are blocked.
		if ids := strings.Join(b.search(t, 1, map[string]any{"locked": true}), " "); ids != "10001 10002" {
			t.Errorf("locked: %s", ids)
		}
		if ids := strings.Join(b.search(t, 1, map[string]any{"phone": "+1 (555) 555-0137"}), " "); ids != "10002" {
			t.Errorf("by phone: %s", ids)
		}
		b.admin(t, 1, http.MethodPost, "/customers/10001/reset-codes", nil)
		if r := b.ask(t, 0, 0); r.Status != http.StatusTooManyRequests {
			t.Errorf("a reset of wrong codes resets sent ones: %d", r.Status)
		}
		b.admin(t, 1, http.MethodPost, "/customers/10001/reset-codes", map[string]any{"sent": true})
		b.verification(t, 0, 0)
		if s := b.show(t, 0); s.by() != "" || *s.CodesSent24h != 1 {
			t.Errorf("after the reset: %+v", s)
		}
		if ids := b.search(t, 1, map[string]any{"locked": true}); ids != nil {
			t.Errorf("locked: %v", ids)
		}
	})
}

// A muted customer gets no codes on any replica, the client is told the same as for a
// limit, and codes come again once the mute has ended, or is ended.
func TestMute(t *testing.T) {
	t.Parallel()
	eachBank(t, oneOfEach, func(t *testing.T, b *bank) {
		old := b.verification(t, 0, 0)
		b.admin(t, 0, http.MethodPost, "/customers/10001/mute", map[string]any{"for": "48h"})
		if got := verdict(t, b.guess(t, 1, old, old.right)); got != looked {
			t.Errorf("a code from before the mute is %s", got)
		}
		sent := b.phone.sent()
		muted := b.ask(t, 1, 0)
		if s := b.show(t, 1); s.by() != "muted" || !s.CodesBlockedUntil.Equal(*s.MutedUntil) || b.phone.sent() != sent {
			t.Errorf("%+v, %d codes sent", s, b.phone.sent()-sent)
		}
		if wait := muted.Header.Get("Retry-After"); wait != "86400" {
			t.Errorf("Retry-After %s, want no more than limits have", wait)
		}
		b.admin(t, 1, http.MethodPost, "/customers/10001/unmute", nil)
		b.verification(t, 1, 0)
		limited := b.ask(t, 0, 0) // the third code to the number
		if muted.Status != http.StatusTooManyRequests || muted.Body != limited.Body {
			t.Errorf("muted: %d %s, limited: %d %s", muted.Status, muted.Body, limited.Status, limited.Body)
		}
		b.admin(t, 0, http.MethodPost, "/customers/10001/mute", nil)
		b.admin(t, 0, http.MethodPost, "/customers/10001/reset-codes", map[string]any{"sent": true}) // Redis has another clock
		b.advance(t, 24*time.Hour+time.Second)
		b.verification(t, 0, 0)
		for _, wrong := range []string{"1s", "366d", "x", ""} {
			if r := b.replicas[0].AdminDo(t, http.MethodPost, "/customers/10001/mute", map[string]any{"for": wrong}); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, `"field":"for"`) {
				t.Errorf("for %q: %d %s", wrong, r.Status, r.Body)
			}
		}
		if events := b.events(t, "customer.mute") + b.events(t, "customer.unmute"); events != 3 {
			t.Errorf("%d audit events of mutes, want 3", events)
		}
	})
}

// events returns how many audit events have the action.
func (b *bank) events(t *testing.T, action string) int {
	t.Helper()
	var page struct{ Events []struct{ Action string } }
	decodeInto(t, b.admin(t, 0, http.MethodGet, "/audit?action="+action, nil), &page)
	return len(page.Events)
}

// The code that locks the customer leaves one audit event, whatever comes afterward.
func TestLockIsReportedOnce(t *testing.T) {
	t.Parallel()
	eachBank(t, func(c *config.Config) { c.Metrics.Listen = "127.0.0.1:0" }, func(t *testing.T, b *bank) {
		for range 4 {
			v := b.verification(t, 0, 0)
			for i := range 5 {
				b.guess(t, i%2, v, v.wrong(i))
			}
		}
		for range 3 {
			if r := b.ask(t, 1, 0); r.Status != http.StatusTooManyRequests {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
		if n := b.events(t, "customer.locked"); n != 1 {
			t.Errorf("%d events", n)
		}
		s := b.show(t, 1)
		if s.by() != "wrong_codes_per_day" || s.CodesBlockedUntil == nil || s.CodesSent24h != nil {
			t.Errorf("%+v", s)
		}
		counted := scrape(t, b.replicas[0])[`grantd_customers_locked_total{by="wrong_codes_per_day"}`]
		if b.replicas[1] != b.replicas[0] {
			counted += scrape(t, b.replicas[1])[`grantd_customers_locked_total{by="wrong_codes_per_day"}`]
		}
		if counted != 1 {
			t.Errorf("counted %v times", counted)
		}
	})
}

// A search is bounded and goes on where it ended.
func TestSearchPages(t *testing.T) {
	t.Parallel()
	eachBank(t, nil, func(t *testing.T, b *bank) {
		for _, id := range []string{"20001", "20002", "20003"} {
			b.admin(t, 0, http.MethodPut, "/customers/"+id, map[string]any{"org_id": "acme", "type": "individual", "phone": "+15555550140"})
		}
		var ids []string
		body := map[string]any{"phone": "+15555550140", "org_id": "acme", "limit": 2}
		for {
			var found struct {
				Customers  []shown
				NextCursor string `json:"next_cursor"`
			}
			decodeInto(t, b.admin(t, 1, http.MethodPost, "/customers/search", body), &found)
			for _, c := range found.Customers {
				ids = append(ids, c.CustomerID)
			}
			if body["cursor"] = found.NextCursor; found.NextCursor == "" {
				break
			}
		}
		if got := strings.Join(ids, " "); got != "20001 20002 20003" {
			t.Errorf("found %s", got)
		}
		for field, value := range map[string]any{"phone": "5555550140", "limit": 1001, "org_id": "a b", "cursor": "a b"} {
			r := b.replicas[0].AdminDo(t, http.MethodPost, "/customers/search", map[string]any{field: value})
			if r.Status != http.StatusBadRequest || !strings.Contains(r.Body, `"field":"`+field+`"`) {
				t.Errorf("%s %v: %d %s", field, value, r.Status, r.Body)
			}
		}
	})
}
