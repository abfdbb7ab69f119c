package admin_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// auditEvents returns all events that the query selects, over all pages.
func auditEvents(t *testing.T, s *harness.Server, query string) (events []object) {
	t.Helper()
	cursor := ""
	for {
		page := do(t, s, "GET", "/audit?limit=500"+query+cursor, nil, 200)
		for _, e := range page["events"].([]any) {
			events = append(events, e.(object))
		}
		next, ok := page["next_cursor"].(string)
		if !ok {
			return events
		}
		cursor = "&cursor=" + next
	}
}

// counted returns how many events the query selects, and how many they represent.
func counted(t *testing.T, s *harness.Server, query string) (events int, count int64) {
	t.Helper()
	for _, e := range auditEvents(t, s, query) {
		events++
		count += int64(e["count"].(float64))
	}
	return events, count
}

// What clients do again and again becomes few events, and hides nothing.
func TestAuditGathersTraffic(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		c := create(t, s, object{"client_id": "billing", "scope": "users:read"})
		secret := c["client_secret"].(string)
		do(t, s, "PATCH", "/clients/billing", object{"name": "Billing"}, 200)
		const calls = 1000
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range calls / 10 {
					r, err := s.TryForm("/oauth/token", "billing", secret, url.Values{"grant_type": {"client_credentials"}})
					if err != nil || r.Status != 200 {
						t.Errorf("token: %d, %v", r.Status, err)
						return
					}
					_, token, _ := strings.Cut(r.Body, `"access_token":"`)
					token, _, _ = strings.Cut(token, `"`)
					if r, err := s.TryForm("/oauth/revoke", "billing", secret, url.Values{"token": {token}}); err != nil || r.Status != 200 {
						t.Errorf("revoke: %d, %v", r.Status, err)
					}
					if r, err := s.TryForm("/oauth/token", "billing", "wrong", url.Values{"grant_type": {"client_credentials"}}); err != nil || r.Status != 401 {
						t.Errorf("wrong secret: %d, %v", r.Status, err)
					}
				}
			})
		}
		all.Wait()
		for _, action := range []string{"token.issue", "token.revoke", "client.authentication_refused"} {
			poll.Await(t, 10*time.Second, "the first "+action, func() string {
				if n, _ := counted(t, s, "&action="+action); n > 0 {
					return ""
				}
				return "none yet"
			})
		}
		s.Clock.Add(5 * time.Minute)
		for _, action := range []string{"token.issue", "token.revoke", "client.authentication_refused"} {
			poll.Await(t, 10*time.Second, "every "+action, func() string {
				events, count := counted(t, s, "&action="+action)
				if events > 3 || count > calls {
					t.Fatalf("%s: %d events count %d", action, events, count)
				}
				if count == calls {
					return ""
				}
				return fmt.Sprintf("%d events count %d", events, count)
			})
		}
		for _, e := range auditEvents(t, s, "&action=token.revoke") {
			if e["actor"] != "client:billing" || e["address"] != "127.0.0.1" || e["outcome"] != "done" {
				t.Errorf("%v", e)
			}
		}
		if n := len(auditEvents(t, s, "")); n > 12 {
			t.Errorf("%d events", n)
		}
		if got := auditEvents(t, s, "&actor=uid:0&action=client.update"); len(got) != 1 {
			t.Errorf("the operator's change: %v", got)
		}
	})
}

// An operator who revokes a token is audited at once, by token.
func TestOperatorsRevocationIsAnEventOfItsOwn(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		secret := create(t, s, object{"client_id": "billing", "scope": "users:read"})["client_secret"].(string)
		for range 3 {
			token, _ := tokenFor(t, s, "billing", secret)
			jti := do(t, s, "POST", "/tokens/revoke", object{"token": token}, 200)["revoked"].(string)
			if got := auditEvents(t, s, "&target=token:"+jti); len(got) != 1 || got[0]["actor"] != "uid:0" || got[0]["before"] == nil {
				t.Errorf("%v", got)
			}
		}
	})
}

// However much traffic there is, it pushes out no change by an operator.
func TestAuditIsBoundedByStream(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		const most, known, block = 100, 350, 100
		s := start(harness.Options{Edit: func(c *config.Config) { c.Audit.MaxEvents = most }})
		var all sync.WaitGroup
		for worker := range 10 {
			all.Go(func() {
				for i := worker; i < known; i += 10 {
					if r, err := s.TryAdmin("POST", "/clients", object{"client_id": fmt.Sprintf("c%03d", i), "scope": "users:read"}); err != nil || r.Status != 201 {
						t.Errorf("create: %d, %v", r.Status, err)
					}
				}
			})
		}
		all.Wait()
		do(t, s, "PATCH", "/clients/c000", object{"name": "Billing"}, 200)
		for i := range known {
			if _, status := tokenFor(t, s, fmt.Sprintf("c%03d", i), "wrong"); status != 401 {
				t.Fatalf("status %d", status)
			}
		}
		poll.Await(t, 10*time.Second, "the last refusal", func() string {
			if len(auditEvents(t, s, fmt.Sprintf("&target=client:c%03d&action=client.authentication_refused", known-1))) == 1 {
				return ""
			}
			return "not yet"
		})
		if n := len(auditEvents(t, s, "&action=client.authentication_refused")); n < most || n > most+block {
			t.Errorf("%d events of traffic are kept", n)
		}
		if n := len(auditEvents(t, s, "&actor=uid:0")); n < most || n > most+block {
			t.Errorf("%d changes are kept", n)
		}
		if got := auditEvents(t, s, "&action=client.update&target=client:c000&actor=uid:0&since=1h"); len(got) != 1 {
			t.Errorf("the operator's change: %v", got)
		}
	})
}

func TestAuditFilters(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	create(t, s, object{"client_id": "a", "scope": "users:read"})
	create(t, s, object{"client_id": "b", "scope": "users:read"})
	do(t, s, "PATCH", "/clients/b", object{"name": "B"}, 200)
	s.Clock.Add(2 * time.Hour)
	do(t, s, "DELETE", "/clients/a", nil, 204)
	now := url.QueryEscape(s.Clock.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	for query, want := range map[string]int{
		"":                                      4,
		"&actor=uid:0":                          4,
		"&actor=uid:1":                          0,
		"&action=client.create":                 2,
		"&target=client:b":                      2,
		"&target=client:b&action=client.create": 1,
		"&since=1h":                             1,
		"&since=" + now:                         1,
		"&until=1h":                             3,
		"&until=" + now:                         3,
		"&since=3h&until=1h&target=client:a":    1,
	} {
		if got := auditEvents(t, s, query); len(got) != want {
			t.Errorf("%s: %d events, want %d", query, len(got), want)
		}
	}
	for query, field := range map[string]string{
		"since=yesterday": "since", "until=2026-01-01": "until", "until=-1h": "until", "actor=": "actor", "target=": "target", "since=": "since",
	} {
		if got := do(t, s, "GET", "/audit?"+query, nil, 400); got["error"] != "invalid_request" || got["field"] != field {
			t.Errorf("%s: %v", query, got)
		}
	}
}

// One call reads a bounded number of events, and says where to continue.
func TestRareEventsTakeSeveralCalls(t *testing.T) {
	t.Parallel()
	db, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	events := make([]store.AuditEvent, 25_000)
	for i := range events {
		events[i] = store.AuditEvent{Time: time.Now(), Action: "token.issue", Target: "client:often", Traffic: true}
	}
	events[100].Target = "client:rare"
	if err := db.AppendAudit(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, harness.Options{Use: db})
	cursor, pages := "", 0
	for {
		page := do(t, s, "GET", "/audit?target=client:rare"+cursor, nil, 200)
		pages++
		next, more := page["next_cursor"].(string)
		if n := len(page["events"].([]any)); (n == 1) != (pages == 3) || more != (pages < 3) {
			t.Fatalf("page %d: %d events, more %v", pages, n, more)
		}
		if !more {
			break
		}
		cursor = "&cursor=" + next
	}
}

// A filter that is not applied must not look applied: what an endpoint does not
// know is refused.
func TestUnknownQueryParametersAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	create(t, s, object{"client_id": "a", "scope": "users:read"})
	do(t, s, "PUT", "/orgs/acme", object{"name": "Acme"}, 201)
	do(t, s, "PUT", "/partners/hurdlr", object{"name": "Hurdlr", "scope": "cards"}, 201)
	for _, list := range []string{
		"/clients", "/orgs", "/customers", "/partners", "/partners/hurdlr/orgs", "/orgs/acme/partners", "/partners/hurdlr/tokens",
		"/clients/a/secrets", "/audit", "/scopes",
	} {
		if r := s.AdminDo(t, "GET", list+"?limit=10&cursor=", nil); r.Status != 200 {
			t.Errorf("%s: %d %s", list, r.Status, r.Body)
		}
		for query, field := range map[string]string{
			"colour=red": "colour", "limit=10&Limit=10": "Limit", "limit=10&limit=20": "limit", "limit=0": "limit", "cursor=!": "cursor",
			strings.Repeat("x", 60) + "=1": "query", "a%20b=1": "query", "limit=%zz": "query", "limit=1;cursor=": "query",
		} {
			r := s.AdminDo(t, "GET", list+"?"+query, nil)
			if r.Status != 400 || r.JSON(t)["error"] != "invalid_request" || r.JSON(t)["field"] != field {
				t.Errorf("%s?%s: %d %s", list, query, r.Status, r.Body)
			}
		}
	}
	for _, tc := range []struct{ method, path, field string }{
		{"GET", "/clients/a?version=1", "version"}, {"POST", "/clients/a/void-tokens?dry_run=true", "dry_run"}, {"DELETE", "/clients/a?force=true", "force"},
		{"DELETE", "/clients/a/secrets/x?void_token=true", "void_token"}, {"DELETE", "/clients/a/secrets/x?void_tokens=", "void_tokens"},
		{"GET", "/customers?org=acme", "org"}, {"GET", "/customers?org_id=", "org_id"},
	} {
		if got := do(t, s, tc.method, tc.path, nil, 400); got["field"] != tc.field {
			t.Errorf("%s %s: %v", tc.method, tc.path, got)
		}
	}
	do(t, s, "GET", "/clients/a", nil, 200) // the refused calls changed nothing
}

// Lists that come whole come in pages too, for those who ask.
func TestWholeListsHavePages(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	whole := do(t, s, "GET", "/scopes", nil, 200)["scopes"].([]any)
	var paged []any
	cursor := ""
	for range whole {
		page := do(t, s, "GET", "/scopes?limit=4"+cursor, nil, 200)
		paged = append(paged, page["scopes"].([]any)...)
		next, ok := page["next_cursor"].(string)
		if !ok {
			break
		}
		cursor = "&cursor=" + next
	}
	if mustJSON(t, paged) != mustJSON(t, whole) {
		t.Errorf("pages: %v", paged)
	}
	if got := do(t, s, "GET", "/scopes?cursor=eA", nil, 400); got["field"] != "cursor" {
		t.Errorf("%v", got)
	}
}
