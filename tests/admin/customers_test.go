package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
)

// Phone numbers of the tests. No response, log or audit event holds one whole.
const (
	phoneOne   = "+1 (555) 555-0142"
	phoneTwo   = "+15555550137"
	phoneThree = "+34 600 123 456"
)

// person returns an individual customer of the org.
func person(org string) object {
	return object{"org_id": org, "type": "individual", "phone": phoneOne}
}

// unmasked fails the test if the text holds one of the numbers above in any
// form.
func unmasked(t *testing.T, where, text string) {
	t.Helper()
	for _, digits := range []string{"555-0142", "5555550142", "5555550137", "600123456", "600 123 456"} {
		if strings.Contains(text, digits) {
			t.Errorf("%s holds a whole phone number: %s", where, text)
		}
	}
}

func TestCustomerLife(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putOrg(t, s, "h5D8B5gyHtk=", "Acme")
		r := s.AdminDo(t, "PUT", "/customers/10001", person("h5D8B5gyHtk="))
		made := r.JSON(t)
		want := object{
			"customer_id": "10001", "org_id": "h5D8B5gyHtk=", "type": "individual", "phone": "+*******0142", "authorized_users": []any{},
			"phones_changed_at": made["created_at"], "language": "en", "active": true, "deactivated_at": nil, "muted_until": nil,
			"created_at": made["created_at"], "updated_at": made["created_at"], "version": made["version"],
		}
		if d := cmp.Diff(want, made); d != "" || r.Status != 201 || r.Header.Get("ETag") != fmt.Sprintf(`"%.0f"`, made["version"]) {
			t.Errorf("%d with ETag %s: %s", r.Status, r.Header.Get("ETag"), d)
		}

		// The same number in another spelling changes nothing.
		again := person("h5D8B5gyHtk=")
		again["phone"] = "+1 555.555.0142"
		if same := do(t, s, "PUT", "/customers/10001", again, 200); same["version"] != made["version"] {
			t.Errorf("a second PUT changed the version: %v, before %v", same["version"], made["version"])
		}

		// A new language does not change phones_changed_at.
		s.Clock.Add(5e9)
		spanish := person("h5D8B5gyHtk=")
		spanish["language"] = "es"
		got := do(t, s, "PUT", "/customers/10001", spanish, 200)
		if got["language"] != "es" || got["phones_changed_at"] != made["created_at"] || got["updated_at"] == made["created_at"] {
			t.Errorf("with the language es the customer is %v", got)
		}
		// The customer becomes a business with authorized users.
		business := object{
			"org_id": "h5D8B5gyHtk=", "type": "business", "phone": phoneTwo,
			"authorized_users": []any{object{"name": "Jane Doe", "phone": phoneOne}, object{"name": "Juan Pérez", "phone": phoneThree}},
		}
		got = do(t, s, "PUT", "/customers/10001", business, 200)
		users := []any{object{"name": "Jane Doe", "phone": "+*******0142"}, object{"name": "Juan Pérez", "phone": "+*******3456"}}
		if d := cmp.Diff(users, got["authorized_users"]); d != "" || got["phone"] != "+*******0137" || got["language"] != "en" || got["phones_changed_at"] == made["created_at"] {
			t.Errorf("as a business the customer is %v; %s", got, d)
		}

		shown := do(t, s, "GET", "/customers/10001", nil, 200)
		for member, value := range (object{
			"wrong_codes_today": 0.0, "wrong_codes_in_row": 0.0, "codes_locked": false,
			"codes_sent_24h": 0.0, "blocked_by": nil, "codes_blocked_until": nil,
		}) {
			if shown[member] != value {
				t.Errorf("%s is %v", member, shown[member])
			}
			delete(shown, member)
		}
		if d := cmp.Diff(got, shown); d != "" {
			t.Errorf("PUT and GET differ: %s", d)
		}
		if off := do(t, s, "POST", "/customers/10001/deactivate", nil, 200); off["active"] != false || off["deactivated_at"] == nil {
			t.Errorf("the deactivated customer is %v", off)
		}
		if on := do(t, s, "POST", "/customers/10001/reactivate", nil, 200); on["active"] != true || on["deactivated_at"] != nil {
			t.Errorf("the reactivated customer is %v", on)
		}
		do(t, s, "POST", "/customers/10001/void-tokens", nil, 200)
		do(t, s, "POST", "/customers/10001/reset-codes", nil, 200)
		do(t, s, "DELETE", "/customers/10001", nil, 204)
		do(t, s, "GET", "/customers/10001", nil, 404)
		do(t, s, "DELETE", "/customers/10001", nil, 404)

		done := []string{
			"customer.create", "customer.update", "customer.update", "customer.deactivate", "customer.reactivate",
			"customer.void_tokens", "customer.reset_codes", "customer.delete", "customer.delete not_found",
		}
		if d := cmp.Diff(done, actions(t, s, "customer:10001")); d != "" {
			t.Error(d)
		}
		for _, e := range events(t, s, "customer:10001") {
			if name, _ := e["actor"].(string); !strings.HasPrefix(name, "uid:") || e["request_id"] == "" {
				t.Errorf("the event has no actor or no request id: %v", e)
			}
			if e["action"] == "customer.delete" && e["outcome"] == "done" {
				if d := cmp.Diff(users, e["before"].(object)["authorized_users"]); d != "" || e["after"] != nil {
					t.Errorf("the event of the deletion: %v", e)
				}
			}
		}
		if e := events(t, s, "customer:10001")[6]; e["before"].(object)["phone"] != "+*******0142" || e["after"].(object)["phone"] != "+*******0137" {
			t.Errorf("before and after in the event: %v", e)
		}
		unmasked(t, "the audit", s.AdminDo(t, "GET", "/audit?limit=500", nil).Body)
		unmasked(t, "the log", s.Logs.String())
	})
}

// What ends a customer's tokens, and what does not.
func TestCustomerEnds(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := newRS(t, s)
		putOrg(t, s, "acme", "Acme")
		c := create(t, s, object{"client_id": "backend", "org_id": "acme", "scope": backendScope})
		backend, _ := tokenFor(t, s, "backend", c["client_secret"].(string))
		do(t, s, "PUT", "/customers/10001", person("acme"), 201)
		do(t, s, "PUT", "/customers/10002", person("acme"), 201)
		mint := func(id string) string {
			t.Helper()
			token, status := customerToken(t, s, backend, id, "cards")
			if status != 201 || !active(t, s, rs, token) {
				t.Fatalf("customer token: %d", status)
			}
			return token
		}
		spared := mint("10002")
		refused := func(after string) {
			t.Helper()
			if _, status := customerToken(t, s, backend, "10001", "cards"); status != 404 {
				t.Errorf("%s: a token gets %d, want 404", after, status)
			}
		}

		token := mint("10001")
		changed := person("acme")
		changed["phone"] = phoneTwo
		do(t, s, "PUT", "/customers/10001", changed, 200)
		if !active(t, s, rs, token) {
			t.Error("a new phone number ended a token")
		}
		for _, verb := range []string{"void-tokens", "deactivate"} {
			do(t, s, "POST", "/customers/10001/"+verb, nil, 200)
			if active(t, s, rs, token) {
				t.Errorf("%s left a token active", verb)
			}
			if verb == "void-tokens" {
				token = mint("10001")
			}
		}
		refused("deactivate")
		do(t, s, "POST", "/customers/10001/reactivate", nil, 200)
		if active(t, s, rs, token) {
			t.Error("reactivating revived a token")
		}
		token = mint("10001")
		do(t, s, "DELETE", "/customers/10001", nil, 204)
		refused("delete")
		do(t, s, "PUT", "/customers/10001", person("acme"), 201)
		if active(t, s, rs, token) {
			t.Error("a token of the deleted customer is active")
		}
		mint("10001")
		if !active(t, s, rs, spared) || !active(t, s, rs, backend) {
			t.Error("another customer's or the backend's token has ended")
		}
	})
}

func TestCustomerRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	putOrg(t, s, "acme", "Acme")
	putOrg(t, s, "other", "Other")
	do(t, s, "PUT", "/customers/10001", person("acme"), 201)
	// with returns a person of acme with one other member; nil removes it.
	with := func(member string, value any) object {
		o := person("acme")
		o[member] = value
		if value == nil {
			delete(o, member)
		}
		return o
	}
	of := func(users ...any) object {
		o := with("type", "business")
		o["authorized_users"] = users
		return o
	}
	jane := object{"name": "Jane Doe", "phone": phoneThree}
	var many []any
	for range 101 {
		many = append(many, jane)
	}
	for _, tc := range []struct {
		name, path string
		body       any
		field      string
	}{
		{"id with a blank", "/customers/a%20b", person("acme"), "customer_id"},
		{"id with a colon", "/customers/card:1", person("acme"), "customer_id"},
		{"id too long", "/customers/" + strings.Repeat("1", 129), person("acme"), "customer_id"},
		{"no org", "/customers/1", with("org_id", nil), "org_id"},
		{"org id with a blank", "/customers/1", with("org_id", "a b"), "org_id"},
		{"unknown org", "/customers/1", person("nobody"), "org_id"},
		{"another org", "/customers/10001", person("other"), "org_id"},
		{"no type", "/customers/1", with("type", nil), "type"},
		{"unknown type", "/customers/1", with("type", "Individual"), "type"},
		{"no phone", "/customers/1", with("phone", nil), "phone"},
		{"phone without country", "/customers/1", with("phone", "5555550136"), "phone"},
		{"phone too short", "/customers/1", with("phone", "+1555"), "phone"},
		{"phone too long", "/customers/1", with("phone", "+155555501361234567"), "phone"},
		{"phone with letters", "/customers/1", with("phone", "+1555555CARD"), "phone"},
		{"two phones", "/customers/1", with("phone", phoneTwo+", "+phoneThree), "phone"},
		{"phone as a number", "/customers/1", with("phone", 15555550136), "phone"},
		{"unknown language", "/customers/1", with("language", "xx"), "language"},
		{"language with a region", "/customers/1", with("language", "en-US"), "language"},
		{"a person with people", "/customers/1", with("authorized_users", []any{jane}), "authorized_users"},
		{"101 people", "/customers/1", of(many...), "authorized_users"},
		{"someone without a name", "/customers/1", of(object{"phone": phoneThree}), "authorized_users"},
		{"a name of two lines", "/customers/1", of(object{"name": "Jane\nDoe", "phone": phoneThree}), "authorized_users"},
		{"a name too long", "/customers/1", of(object{"name": strings.Repeat("é", 201), "phone": phoneThree}), "authorized_users"},
		{"someone without a phone", "/customers/1", of(jane, object{"name": "Juan"}), "authorized_users"},
		{"someone's phone is not one", "/customers/1", of(object{"name": "Juan", "phone": "+1 call me"}), "authorized_users"},
		{"someone's id with a blank", "/customers/1", of(object{"id": "a b", "name": "Juan", "phone": phoneThree}), "authorized_users"},
		{"someone's id too long", "/customers/1", of(object{"id": strings.Repeat("1", 129), "name": "Juan", "phone": phoneThree}), "authorized_users"},
		{"two with one id", "/customers/1", of(object{"id": "20", "name": "Juan", "phone": phoneThree}, object{"id": "20", "name": "Jane", "phone": phoneTwo}), "authorized_users"},
		{"someone's unknown member", "/customers/1", of(object{"name": "Juan", "phone": phoneThree, "mail": "x"}), "mail"},
		{"unknown member", "/customers/1", with("status", "active"), "status"},
		{"its id in the body", "/customers/1", with("customer_id", "1"), ""},
		{"no body", "/customers/1", nil, ""},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			got := do(t, s, "PUT", tc.path, tc.body, 400)
			if got["error"] != "invalid_request" || (tc.field != "" && got["field"] != tc.field) {
				t.Errorf("got %v, want an error at %q", got, tc.field)
			}
			unmasked(t, "the response", mustJSON(t, got))
		})
	}
	for _, tc := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/customers/1", 404}, {"DELETE", "/customers/1", 404}, {"POST", "/customers/1/deactivate", 404},
		{"POST", "/customers/1/reactivate", 404}, {"POST", "/customers/1/void-tokens", 404}, {"POST", "/customers/1/reset-codes", 404},
		{"GET", "/customers/a%20b", 404}, {"PUT", "/customers/a%2Fb", 404}, {"GET", "/customers?limit=0", 400}, {"GET", "/customers?cursor=%20", 400},
		{"POST", "/customers", 405},
	} {
		do(t, s, tc.method, tc.path, nil, tc.status)
	}
	if list := do(t, s, "GET", "/customers", nil, 200)["customers"].([]any); len(list) != 1 {
		t.Errorf("refused requests created %d customers", len(list)-1)
	}
	unmasked(t, "the log", s.Logs.String())
}

func TestCustomerPages(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		if got := s.AdminDo(t, "GET", "/customers", nil); got.Body != `{"customers":[]}` {
			t.Errorf("empty list: %s", got.Body)
		}
		of := map[string][]string{}
		for i := range 11 { // every fourth belongs to the other org
			id, org := fmt.Sprintf("c%02d", i), "acme"
			if i%4 == 1 {
				org = "other"
			}
			if len(of[org]) == 0 {
				putOrg(t, s, org, org)
			}
			do(t, s, "PUT", "/customers/"+id, person(org), http.StatusCreated)
			of[org], of[""] = append(of[org], id), append(of[""], id)
		}
		for org, want := range of {
			list := "/customers?limit=2"
			if org != "" {
				list += "&org_id=" + org
			}
			ids, pages := paged(t, s, list, "customers", "customer_id")
			if d := cmp.Diff(want, ids); d != "" || pages != len(want)/2+1 {
				t.Errorf("of org %q in %d pages: %s", org, pages, d)
			}
		}
		if got := s.AdminDo(t, "GET", "/customers?org_id=nobody", nil); got.Body != `{"customers":[]}` {
			t.Errorf("list of an unknown org: %s", got.Body)
		}
		unmasked(t, "the list", s.AdminDo(t, "GET", "/customers", nil).Body)
	})
}
