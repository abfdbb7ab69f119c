package admin_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
)

func stampIn(s *harness.Server, d time.Duration) string {
	return s.Clock.Now().Add(d).UTC().Format(time.RFC3339)
}

func TestGrantLife(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putPartner(t, s, "hurdlr")
		putOrg(t, s, "acme", "Acme")
		const path = "/partners/hurdlr/orgs/acme"
		do(t, s, "GET", path, nil, 404)
		until := stampIn(s, 48*time.Hour)
		spec := object{"scope": "customers cards", "endpoints": []any{"GET /cards", "GET /cards/{id}"}, "until": until}
		made := do(t, s, "PUT", path, spec, 201)
		want := object{
			"partner_id": "hurdlr", "org_id": "acme", "scope": "customers cards", "endpoints": spec["endpoints"], "until": until, "state": "active",
			"created_at": made["created_at"], "updated_at": made["created_at"], "version": made["version"],
		}
		if d := cmp.Diff(want, made); d != "" {
			t.Error(d)
		}
		if same := do(t, s, "PUT", path, spec, 200); same["version"] != made["version"] {
			t.Errorf("a second PUT changed the version: %v, before %v", same["version"], made["version"])
		}
		// PUT replaces the whole grant. What it omits is not restricted.
		bare := do(t, s, "PUT", path, object{"scope": "cards"}, 200)
		if d := cmp.Diff([]any{"cards", []any{}, nil}, []any{bare["scope"], bare["endpoints"], bare["until"]}); d != "" || bare["created_at"] != made["created_at"] {
			t.Errorf("the replaced grant is %v", bare)
		}
		if d := cmp.Diff(bare, do(t, s, "GET", path, nil, 200)); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]any{bare}, do(t, s, "GET", "/partners/hurdlr/orgs", nil, 200)["orgs"]); d != "" {
			t.Error(d)
		}
		do(t, s, "DELETE", path, nil, 204)
		do(t, s, "GET", path, nil, 404)
		do(t, s, "DELETE", path, nil, 404)

		done := []string{"grant.create", "grant.update", "grant.delete", "grant.delete not_found"}
		if d := cmp.Diff(done, actions(t, s, "grant:hurdlr/acme")); d != "" {
			t.Error(d)
		}
		for _, e := range events(t, s, "grant:hurdlr/acme") {
			if e["action"] == "grant.update" && (e["before"].(object)["until"] != until || e["after"].(object)["scope"] != "cards") {
				t.Errorf("before and after in the event: %v", e)
			}
			if e["action"] == "grant.delete" && e["outcome"] == "done" && e["before"].(object)["scope"] != "cards" {
				t.Errorf("the event of the withdrawal: %v", e)
			}
		}
	})
}

func TestGrantRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	putPartner(t, s, "hurdlr")
	putPartner(t, s, "idle")
	do(t, s, "POST", "/partners/idle/deactivate", nil, 200)
	putOrg(t, s, "acme", "Acme")
	at := func(endpoints ...string) object { return object{"scope": "cards", "endpoints": endpoints} }
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprint("GET /cards/", i))
	}
	var long []string
	for i := range 20 {
		long = append(long, fmt.Sprintf("GET /%d%s", i, strings.Repeat("x", 240)))
	}
	good := object{"scope": "cards"}
	for _, tc := range []struct {
		name, path string
		body       any
		status     int
		field      string
	}{
		{"unknown partner", "/partners/nobody/orgs/acme", good, 404, ""},
		{"an impossible partner id", "/partners/a%20b/orgs/acme", good, 404, ""},
		{"an impossible org id", "/partners/hurdlr/orgs/a%20b", good, 404, ""},
		{"unknown org", "/partners/hurdlr/orgs/nobody", good, 400, "org_id"},
		{"deactivated partner", "/partners/idle/orgs/acme", good, 409, ""},
		{"no scope", "/partners/hurdlr/orgs/acme", object{}, 400, "scope"},
		{"empty scope", "/partners/hurdlr/orgs/acme", object{"scope": ""}, 400, "scope"},
		{"unknown scope", "/partners/hurdlr/orgs/acme", object{"scope": "no:such"}, 400, "scope"},
		{"scope that writes", "/partners/hurdlr/orgs/acme", object{"scope": "cards-write"}, 400, "scope"},
		{"scope beyond the partner's", "/partners/hurdlr/orgs/acme", object{"scope": "cards transactions"}, 400, "scope"},
		{"endpoint without a method", "/partners/hurdlr/orgs/acme", at("/cards"), 400, "endpoints"},
		{"endpoint that writes", "/partners/hurdlr/orgs/acme", at("GET /cards", "POST /cards"), 400, "endpoints"},
		{"endpoint of a small method", "/partners/hurdlr/orgs/acme", at("get /cards"), 400, "endpoints"},
		{"endpoint with a host", "/partners/hurdlr/orgs/acme", at("GET api.example.com/cards"), 400, "endpoints"},
		{"endpoint without a path", "/partners/hurdlr/orgs/acme", at("GET"), 400, "endpoints"},
		{"empty endpoint", "/partners/hurdlr/orgs/acme", at(""), 400, "endpoints"},
		{"endpoint with two blanks", "/partners/hurdlr/orgs/acme", at("GET  /cards"), 400, "endpoints"},
		{"endpoint with a query", "/partners/hurdlr/orgs/acme", at("GET /cards?limit=1"), 400, "endpoints"},
		{"endpoint with dots", "/partners/hurdlr/orgs/acme", at("GET /cards/../admin"), 400, "endpoints"},
		{"endpoint that is encoded", "/partners/hurdlr/orgs/acme", at("GET /cards%2Fall"), 400, "endpoints"},
		{"endpoint with an open brace", "/partners/hurdlr/orgs/acme", at("GET /cards/{id"), 400, "endpoints"},
		{"endpoint with one name twice", "/partners/hurdlr/orgs/acme", at("GET /a/{id}/b/{id}"), 400, "endpoints"},
		{"the same endpoint twice", "/partners/hurdlr/orgs/acme", at("GET /cards/{id}", "GET /cards/{card}"), 400, "endpoints"},
		{"endpoints that conflict", "/partners/hurdlr/orgs/acme", at("GET /{kind}/mine", "GET /cards/{id}"), 400, "endpoints"},
		{"endpoints that conflict because GET includes HEAD", "/partners/hurdlr/orgs/acme", at("GET /cards/mine", "HEAD /cards/{id}", "GET /{kind}/{id}", "HEAD /{kind}/mine"), 400, "endpoints"},
		{"65 endpoints", "/partners/hurdlr/orgs/acme", at(many...), 400, "endpoints"},
		{"endpoint too long", "/partners/hurdlr/orgs/acme", at("GET /" + strings.Repeat("x", 252)), 400, "endpoints"},
		{"endpoints too long together", "/partners/hurdlr/orgs/acme", at(long...), 400, "endpoints"},
		{"endpoints as text", "/partners/hurdlr/orgs/acme", object{"scope": "cards", "endpoints": "GET /cards"}, 400, "endpoints"},
		{"until in the past", "/partners/hurdlr/orgs/acme", object{"scope": "cards", "until": stampIn(s, -time.Hour)}, 400, "until"},
		{"until now", "/partners/hurdlr/orgs/acme", object{"scope": "cards", "until": stampIn(s, 0)}, 400, "until"},
		{"until a day", "/partners/hurdlr/orgs/acme", object{"scope": "cards", "until": "2127-01-01"}, 400, "until"},
		{"until a number", "/partners/hurdlr/orgs/acme", object{"scope": "cards", "until": 4954348800}, 400, "until"},
		{"unknown member", "/partners/hurdlr/orgs/acme", object{"scope": "cards", "withdrawn_at": nil}, 400, ""},
		{"no body", "/partners/hurdlr/orgs/acme", nil, 400, ""},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			got := do(t, s, "PUT", tc.path, tc.body, tc.status)
			if tc.field != "" && (got["error"] != "invalid_request" || got["field"] != tc.field) {
				t.Errorf("got %v, want an error at %q", got, tc.field)
			}
		})
	}
	for _, tc := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/partners/hurdlr/orgs/acme", 404}, {"DELETE", "/partners/hurdlr/orgs/acme", 404},
		{"GET", "/partners/nobody/orgs/acme", 404}, {"DELETE", "/partners/nobody/orgs/acme", 404},
		{"GET", "/partners/nobody/orgs", 404}, {"GET", "/partners/a%20b/orgs", 404}, {"GET", "/partners/hurdlr/orgs/a%20b", 404},
		{"GET", "/partners/hurdlr/orgs?limit=0", 400}, {"GET", "/partners/hurdlr/orgs?cursor=%20", 400},
		{"POST", "/partners/hurdlr/orgs/acme", 405}, {"POST", "/partners/hurdlr/orgs", 405},
	} {
		do(t, s, tc.method, tc.path, nil, tc.status)
	}
	if got := s.AdminDo(t, "GET", "/partners/hurdlr/orgs", nil); got.Body != `{"orgs":[]}` {
		t.Errorf("refused requests created grants: %s", got.Body)
	}
}

// The list of an org's partners holds all grants of that org, even those that
// are not in force. An unknown org is 404.
func TestPartnersOfAnOrg(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putOrg(t, s, "acme", "Acme")
		putOrg(t, s, "other", "Other")
		do(t, s, "GET", "/orgs/nobody/partners", nil, 404)
		do(t, s, "GET", "/orgs/a%20b/partners", nil, 404)
		do(t, s, "GET", "/orgs/acme/partners?limit=0", nil, 400)
		do(t, s, "POST", "/orgs/acme/partners", nil, 405)
		if got := s.AdminDo(t, "GET", "/orgs/acme/partners", nil); got.Body != `{"partners":[]}` {
			t.Errorf("empty list: %s", got.Body)
		}
		var want []string
		for _, id := range []string{"p0", "p1", "p2", "p3", "p4", "p5"} {
			putPartner(t, s, id)
			if id == "p1" {
				continue
			}
			want = append(want, id)
			putGrant(t, s, id, "acme", object{"scope": "cards"})
		}
		putGrant(t, s, "p1", "other", object{"scope": "customers"})

		for limit, pages := range map[int]int{1: 6, 2: 3, 4: 2, 100: 1} {
			ids, n := paged(t, s, fmt.Sprintf("/orgs/acme/partners?limit=%d", limit), "partners", "partner_id")
			if d := cmp.Diff(want, ids); d != "" || n != pages {
				t.Errorf("%d at once, %d pages: %s", limit, n, d)
			}
		}
		one := do(t, s, "GET", "/orgs/other/partners", nil, 200)["partners"]
		if d := cmp.Diff([]any{do(t, s, "GET", "/partners/p1/orgs/other", nil, 200)}, one); d != "" {
			t.Error(d)
		}
		do(t, s, "POST", "/partners/p1/deactivate", nil, 200)
		if got := do(t, s, "GET", "/orgs/other/partners", nil, 200)["partners"].([]any); len(got) != 1 || got[0].(object)["state"] != "partner_deactivated" {
			t.Errorf("of a deactivated partner: %v", got)
		}
		do(t, s, "DELETE", "/orgs/other", nil, 204)
		if got := do(t, s, "GET", "/orgs/other/partners", nil, 200)["partners"].([]any); len(got) != 1 || got[0].(object)["state"] != "org_deleted" {
			t.Errorf("of a deleted org: %v", got)
		}
		do(t, s, "DELETE", "/partners/p1/orgs/other", nil, 204)
		do(t, s, "GET", "/orgs/other/partners", nil, 404)
	})
}

// Narrowing a grant ends its tokens; widening it does not.
func TestNarrowingAGrant(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		spared := a.mint("other")
		soon, later := stampIn(s, 10*time.Hour), stampIn(s, 20*time.Hour)
		for _, step := range []struct {
			what string
			spec object
			ends bool
		}{
			{"an end", object{"scope": "customers cards", "until": later}, true},
			{"an earlier end", object{"scope": "customers cards", "until": soon}, true},
			{"a later end", object{"scope": "customers cards", "until": later}, false},
			{"no end", object{"scope": "customers cards"}, false},
			{"more scopes", object{"scope": "customers cards accounts"}, false},
			{"the scopes in another order", object{"scope": "accounts cards customers"}, false},
			{"fewer scopes", object{"scope": "customers cards"}, true},
			{"other scopes", object{"scope": "accounts cards"}, true},
			{"endpoints", object{"scope": "accounts cards", "endpoints": []string{"GET /cards", "GET /accounts"}}, true},
			{"more endpoints", object{"scope": "accounts cards", "endpoints": []string{"GET /accounts", "GET /users", "GET /cards"}}, false},
			{"fewer endpoints", object{"scope": "accounts cards", "endpoints": []string{"GET /cards", "GET /users"}}, true},
			{"the same again", object{"scope": "accounts cards", "endpoints": []string{"GET /cards", "GET /users"}}, false},
			{"all endpoints", object{"scope": "accounts cards"}, false},
		} {
			before := a.mint("acme")
			putGrant(t, s, "hurdlr", "acme", step.spec)
			a.wants(step.what, !step.ends, before)
			a.mint("acme")
		}
		a.wants("tokens of another org", true, spared, a.token)

		// Narrowing the partner's scopes narrows its grants of all orgs.
		before := a.mint("acme")
		do(t, s, "PUT", "/partners/hurdlr", object{"name": "Hurdlr", "scope": partnerScope + " transactions"}, 200)
		a.wants("the partner may have more", true, before, spared)
		do(t, s, "PUT", "/partners/hurdlr", object{"name": "Hurdlr", "scope": "customers"}, 200)
		a.wants("the partner may have less", false, before, spared)
		a.wants("the partner may have less", true, a.token)
		a.refused("the partner may have less", "acme", 403)
		if _, status := onBehalf(t, s, a.token, "other", "customers"); status != 201 {
			t.Errorf("a scope that the partner still has: %d", status)
		}
	})
}

// A grant ends by itself, and its tokens end with it.
func TestGrantUntil(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		a := newAlliance(t, s)
		putGrant(t, s, "hurdlr", "acme", object{"scope": "cards", "until": stampIn(s, time.Hour)})
		token, spared := a.mint("acme"), a.mint("other")
		s.Clock.Add(time.Hour + time.Second)
		a.wants("past its end", false, token)
		a.wants("past another's end", true, spared, a.token)
		a.refused("past its end", "acme", 403)
		putGrant(t, s, "hurdlr", "acme", object{"scope": "cards"})
		a.wants("granted again", false, token)
		a.mint("acme")
	})
}
