package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
)

// sandboxCode is the right code in tests that need one; nothing is sent.
const sandboxCode = "000001"

// withCodes switches the limits on codes off.
func withCodes(c *config.Config) {
	c.Customers.SandboxCode = sandboxCode
	for _, l := range []*config.Limit{&c.Limits.CodesPerPhone, &c.Limits.CodesPerCustomer, &c.Limits.CodesPerClient, &c.Limits.CodesPerOrg} {
		l.Count = 0
	}
}

func putOrg(t *testing.T, s *harness.Server, id, name string) object {
	t.Helper()
	return do(t, s, "PUT", "/orgs/"+id, object{"name": name}, http.StatusCreated)
}

// events returns the audit events with the target, newest first.
func events(t *testing.T, s *harness.Server, target string) (all []object) {
	t.Helper()
	for _, e := range do(t, s, "GET", "/audit?limit=500", nil, 200)["events"].([]any) {
		if ev := e.(object); ev["target"] == target {
			all = append(all, ev)
		}
	}
	return all
}

// actions returns the actions of those events, oldest first, each followed by
// its outcome if that is not done.
func actions(t *testing.T, s *harness.Server, target string) (all []string) {
	t.Helper()
	for _, e := range events(t, s, target) {
		what := e["action"].(string)
		if e["outcome"] != "done" {
			what += " " + e["outcome"].(string)
		}
		all = append([]string{what}, all...)
	}
	return all
}

// document posts the attributes to a public endpoint as a JSON:API document.
func document(t *testing.T, s *harness.Server, bearer, path, typ string, attributes object) harness.Response {
	t.Helper()
	body := mustJSON(t, object{"data": object{"type": typ, "attributes": attributes}})
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/vnd.api+json"}, "Authorization": {"Bearer " + bearer}}
	return harness.Do(t, nil, req)
}

// customerToken requests a customer token without a code. It returns "" and the
// status if the request is refused.
func customerToken(t *testing.T, s *harness.Server, bearer, id, scope string) (string, int) {
	t.Helper()
	r := document(t, s, bearer, "/customers/"+id+"/token", "customerToken", object{"scope": scope})
	if r.Status != http.StatusCreated {
		return "", r.Status
	}
	return r.JSON(t)["data"].(object)["attributes"].(object)["token"].(string), r.Status
}

const backendScope = "customers cards cards-write customer-token-write"

// newRS creates a resource server that also accepts customer tokens.
func newRS(t *testing.T, s *harness.Server) object {
	t.Helper()
	return create(t, s, object{"client_id": "cards-api", "scope": "introspect", "token_uses": []string{"client", "customer"}})
}

func TestOrgLife(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		made := putOrg(t, s, "h5D8B5gyHtk=", "Acme")
		want := object{
			"org_id": "h5D8B5gyHtk=", "name": "Acme", "active": true, "deactivated_at": nil,
			"created_at": made["created_at"], "updated_at": made["created_at"], "version": made["version"],
		}
		if d := cmp.Diff(want, made); d != "" {
			t.Error(d)
		}
		if same := do(t, s, "PUT", "/orgs/h5D8B5gyHtk=", object{"name": "Acme"}, 200); same["version"] != made["version"] {
			t.Errorf("a second PUT changed the version: %v, before %v", same["version"], made["version"])
		}
		named := do(t, s, "PUT", "/orgs/h5D8B5gyHtk=", object{"name": "Acme Bank"}, 200)
		if named["name"] != "Acme Bank" || named["version"] == made["version"] || named["created_at"] != made["created_at"] {
			t.Errorf("changed it is %v", named)
		}
		if d := cmp.Diff(named, do(t, s, "GET", "/orgs/h5D8B5gyHtk=", nil, 200)); d != "" {
			t.Error(d)
		}
		if off := do(t, s, "POST", "/orgs/h5D8B5gyHtk=/deactivate", nil, 200); off["active"] != false || off["deactivated_at"] == nil {
			t.Errorf("deactivated it is %v", off)
		}
		if on := do(t, s, "POST", "/orgs/h5D8B5gyHtk=/reactivate", nil, 200); on["active"] != true || on["deactivated_at"] != nil {
			t.Errorf("reactivated it is %v", on)
		}
		do(t, s, "POST", "/orgs/h5D8B5gyHtk=/void-tokens", nil, 200)
		do(t, s, "DELETE", "/orgs/h5D8B5gyHtk=", nil, 204)
		do(t, s, "GET", "/orgs/h5D8B5gyHtk=", nil, 404)
		do(t, s, "DELETE", "/orgs/h5D8B5gyHtk=", nil, 404)

		// The audit has every change, and no event if nothing changed.
		done := []string{"org.create", "org.update", "org.deactivate", "org.reactivate", "org.void_tokens", "org.delete", "org.delete not_found"}
		if d := cmp.Diff(done, actions(t, s, "org:h5D8B5gyHtk=")); d != "" {
			t.Error(d)
		}
		for _, e := range events(t, s, "org:h5D8B5gyHtk=") {
			if name, _ := e["actor"].(string); !strings.HasPrefix(name, "uid:") || e["request_id"] == "" {
				t.Errorf("the event has no actor or no request id: %v", e)
			}
			if e["action"] == "org.update" && (e["before"].(object)["name"] != "Acme" || e["after"].(object)["name"] != "Acme Bank") {
				t.Errorf("before and after in the event: %v", e)
			}
		}
	})
}

// The tokens of an org's clients and customers end with it. Reactivating the org
// restores clients and customers, but not their tokens.
func TestOrgEnds(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := newRS(t, s)
		putOrg(t, s, "acme", "Acme")
		putOrg(t, s, "other", "Other")
		backend := create(t, s, object{"client_id": "backend", "org_id": "acme", "scope": backendScope})["client_secret"].(string)
		elsewhere := create(t, s, object{"client_id": "elsewhere", "org_id": "other", "scope": backendScope})["client_secret"].(string)
		for id, org := range map[string]string{"10001": "acme", "20001": "other"} {
			do(t, s, "PUT", "/customers/"+id, object{"org_id": org, "type": "individual", "phone": "+15555550136"}, 201)
		}
		tokens := func(client, secret, customer string) [2]string {
			t.Helper()
			of, status := tokenFor(t, s, client, secret)
			if status != 200 {
				t.Fatalf("token of %s: %d", client, status)
			}
			token, status := customerToken(t, s, of, customer, "cards")
			if status != 201 {
				t.Fatalf("customer token by %s: %d", client, status)
			}
			return [2]string{of, token}
		}
		spared := tokens("elsewhere", elsewhere, "20001")
		var old [][2]string
		check := func(after string) {
			t.Helper()
			for _, pair := range old {
				if active(t, s, rs, pair[0]) || active(t, s, rs, pair[1]) {
					t.Errorf("%s: a token of the org is active", after)
				}
			}
			if !active(t, s, rs, spared[0]) || !active(t, s, rs, spared[1]) {
				t.Errorf("%s: a token of another org has ended", after)
			}
		}
		refused := func(after string) {
			t.Helper()
			r := s.Form(t, "/oauth/token", "backend", backend, url.Values{"grant_type": {"client_credentials"}})
			if r.Status != 401 || r.JSON(t)["error"] != "invalid_client" {
				t.Errorf("%s: the org's client gets %d %s", after, r.Status, r.Body)
			}
			if _, status := customerToken(t, s, old[len(old)-1][0], "10001", "cards"); status != 401 {
				t.Errorf("%s: with an ended token a customer token gets %d", after, status)
			}
		}
		mint := func() {
			t.Helper()
			pair := tokens("backend", backend, "10001")
			if !active(t, s, rs, pair[0]) || !active(t, s, rs, pair[1]) {
				t.Fatal("a new token is not active")
			}
			old = append(old, pair)
		}

		mint()
		do(t, s, "POST", "/orgs/acme/void-tokens", nil, 200)
		check("void-tokens")
		mint() // only the earlier tokens have ended

		do(t, s, "POST", "/orgs/acme/deactivate", nil, 200)
		check("deactivate")
		refused("deactivate")
		do(t, s, "POST", "/orgs/acme/reactivate", nil, 200)
		check("reactivate")
		mint()

		// It has a client and a customer, and so does another org.
		r := s.AdminDo(t, "DELETE", "/orgs/acme", nil)
		if r.Status != 409 || !strings.Contains(r.Body, "this org has 1 client and 1 customer: ") || !strings.Contains(r.Body, "--with-clients-and-customers") {
			t.Errorf("delete: %d %s", r.Status, r.Body)
		}
		if !active(t, s, rs, old[len(old)-1][0]) {
			t.Error("a deletion that is refused ends tokens")
		}
		do(t, s, "DELETE", "/orgs/acme?with_clients_and_customers=yes", nil, 400)
		do(t, s, "DELETE", "/orgs/acme?with_clients_and_customers=true&cursor=eA", nil, 400)
		do(t, s, "DELETE", "/orgs/acme?with_clients_and_customers=true&cursor=Y2xpZW50cy94", nil, 400) // of no incarnation
		done := do(t, s, "DELETE", "/orgs/acme?with_clients_and_customers=true", nil, 200)
		if d := cmp.Diff(object{"deleted": true, "clients": 1.0, "customers": 1.0}, done); d != "" {
			t.Error(d)
		}
		check("delete")
		refused("delete")
		for _, path := range []string{"/orgs/acme", "/clients/backend", "/customers/10001"} {
			do(t, s, "GET", path, nil, 404)
		}
		for _, path := range []string{"/orgs/other", "/clients/elsewhere", "/customers/20001"} {
			do(t, s, "GET", path, nil, 200)
		}
		for target, want := range map[string]string{"org:acme": "org.delete", "client:backend": "client.delete", "customer:10001": "customer.delete"} {
			got := slices.DeleteFunc(actions(t, s, target), func(a string) bool { return strings.HasPrefix(a, "client.authentication_refused") })
			if got[len(got)-1] != want {
				t.Errorf("the audit of %s ends with %v", target, got)
			}
		}
		do(t, s, "DELETE", "/orgs/acme?with_clients_and_customers=true", nil, 404)
		putOrg(t, s, "acme", "Acme again")
		check("created again")
		refused("created again")
	})
}

// A client needs an org that exists: a misspelled id must not become an org.
func TestOrgOfAClient(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	r := s.AdminDo(t, "POST", "/clients", object{"client_id": "early", "org_id": "acme"})
	if r.Status != 400 || r.JSON(t)["field"] != "org_id" || !strings.Contains(r.Body, "grantd org put") {
		t.Errorf("an org that does not exist: %d %s", r.Status, r.Body)
	}
	do(t, s, "GET", "/orgs/acme", nil, 404)
	do(t, s, "GET", "/clients/early", nil, 404)
	putOrg(t, s, "acme", "Acme")
	if c := create(t, s, object{"client_id": "late", "org_id": "acme"}); c["org_id"] != "acme" {
		t.Errorf("created %v", c)
	}
}

func TestOrgRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	putOrg(t, s, "acme", "Acme")
	named := object{"name": "A"}
	for _, tc := range []struct {
		name, method, path string
		body               any
		status             int
		code, field        string
	}{
		{"id with a blank", "PUT", "/orgs/a%20b", named, 400, "invalid_request", "org_id"},
		{"id with a colon", "PUT", "/orgs/a:b", named, 400, "invalid_request", "org_id"},
		{"id too long", "PUT", "/orgs/" + strings.Repeat("x", 129), named, 400, "invalid_request", "org_id"},
		{"id with a slash", "PUT", "/orgs/a%2Fb", named, 404, "not_found", ""},
		{"no name", "PUT", "/orgs/new", object{}, 400, "invalid_request", "name"},
		{"empty name", "PUT", "/orgs/new", object{"name": ""}, 400, "invalid_request", "name"},
		{"blank name", "PUT", "/orgs/new", object{"name": " \u00a0"}, 400, "invalid_request", "name"},
		{"name of two lines", "PUT", "/orgs/new", object{"name": "A\nhttps://evil.example"}, 400, "invalid_request", "name"},
		{"name written backwards", "PUT", "/orgs/new", object{"name": "A\u202eB"}, 400, "invalid_request", "name"},
		{"name too long", "PUT", "/orgs/new", object{"name": strings.Repeat("é", 65)}, 400, "invalid_request", "name"},
		{"name of another type", "PUT", "/orgs/new", object{"name": 1}, 400, "invalid_request", "name"},
		{"unknown member", "PUT", "/orgs/new", object{"name": "A", "active": false}, 400, "invalid_request", ""},
		{"no body", "PUT", "/orgs/new", nil, 400, "invalid_request", ""},
		{"nobody", "GET", "/orgs/new", nil, 404, "not_found", ""},
		{"delete nobody", "DELETE", "/orgs/new", nil, 404, "not_found", ""},
		{"deactivate nobody", "POST", "/orgs/new/deactivate", nil, 404, "not_found", ""},
		{"reactivate nobody", "POST", "/orgs/new/reactivate", nil, 404, "not_found", ""},
		{"void tokens of nobody", "POST", "/orgs/new/void-tokens", nil, 404, "not_found", ""},
		{"an id that none can have", "GET", "/orgs/a%20b", nil, 404, "not_found", ""},
		{"page too large", "GET", "/orgs?limit=501", nil, 400, "invalid_request", "limit"},
		{"cursor made up", "GET", "/orgs?cursor=%20", nil, 400, "invalid_request", "cursor"},
		{"a method that it does not take", "POST", "/orgs", named, 405, "invalid_request", ""},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			got := do(t, s, tc.method, tc.path, tc.body, tc.status)
			if got["error"] != tc.code || (tc.field != "" && got["field"] != tc.field) {
				t.Errorf("got %v, want error %s at %q", got, tc.code, tc.field)
			}
		})
	}
	if list := do(t, s, "GET", "/orgs", nil, 200)["orgs"].([]any); len(list) != 1 {
		t.Errorf("refused requests created %d orgs", len(list)-1)
	}
}

// changeIf sends the body with If-Match: etag.
func changeIf(t *testing.T, s *harness.Server, method, path, etag string, body any) harness.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://grantd/admin/v1"+path, strings.NewReader(mustJSON(t, body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "If-Match": {etag}}
	return harness.Do(t, s.Admin, req)
}

// A change that was begun for one version of a record never changes another.
func TestRecordETags(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putOrg(t, s, "acme", "Acme")
		for path, body := range map[string]func(n int) object{
			"/orgs/other": func(n int) object { return object{"name": fmt.Sprint("Name ", n)} },
			"/customers/10001": func(n int) object {
				return object{"org_id": "acme", "type": "individual", "phone": fmt.Sprintf("+155555501%02d", n)}
			},
		} {
			for _, etag := range []string{`"1"`, "*"} { // neither matches a record that does not exist (RFC 9110 §13.1.1)
				if r := changeIf(t, s, "PUT", path, etag, body(1)); r.Status != 412 {
					t.Errorf("%s that does not exist, with %s: %d %s", path, etag, r.Status, r.Body)
				}
				if r := changeIf(t, s, "DELETE", path, etag, nil); r.Status != 404 {
					t.Errorf("DELETE %s that does not exist, with %s: %d %s", path, etag, r.Status, r.Body)
				}
			}
			first := s.AdminDo(t, "PUT", path, body(1)).Header.Get("ETag")
			if got := s.AdminDo(t, "GET", path, nil).Header.Get("ETag"); got != first || got == "" {
				t.Errorf("%s: created with the ETag %q, read with %q", path, first, got)
			}
			second := changeIf(t, s, "PUT", path, first, body(2))
			if second.Status != 200 || second.Header.Get("ETag") == first {
				t.Errorf("%s with its ETag: %d %s", path, second.Status, second.Body)
			}
			for etag, status := range map[string]int{first: 412, "junk": 400, `"0"`: 400, `"18446744073709551615"`: 400} {
				for _, method := range []string{"PUT", "DELETE"} {
					if r := changeIf(t, s, method, path, etag, body(3)); r.Status != status {
						t.Errorf("%s %s with %s: %d %s, want %d", method, path, etag, r.Status, r.Body, status)
					}
				}
			}
			if r := changeIf(t, s, "PUT", path, "*", body(2)); r.Status != 200 {
				t.Errorf("%s with any: %d %s", path, r.Status, r.Body)
			}
			if r := changeIf(t, s, "DELETE", path, second.Header.Get("ETag"), nil); r.Status != 204 {
				t.Errorf("DELETE %s with its ETag: %d %s", path, r.Status, r.Body)
			}
			do(t, s, "PUT", path, body(1), 201)
			for _, old := range []string{first, second.Header.Get("ETag")} {
				if r := changeIf(t, s, "PUT", path, old, body(3)); r.Status != 412 {
					t.Errorf("%s with the ETag of a deleted one: %d %s", path, r.Status, r.Body)
				}
			}
		}
	})
}

// paged follows the cursors of a list to its end.
func paged(t *testing.T, s *harness.Server, path, list, id string) (ids []string, pages int) {
	t.Helper()
	for cursor := ""; ; {
		page := do(t, s, "GET", path+"&cursor="+cursor, nil, 200)
		pages++
		for _, item := range page[list].([]any) {
			ids = append(ids, item.(object)[id].(string))
		}
		next, more := page["next_cursor"].(string)
		if !more {
			return ids, pages
		}
		cursor = next
	}
}

func TestOrgPages(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		if got := s.AdminDo(t, "GET", "/orgs", nil); got.Body != `{"orgs":[]}` {
			t.Errorf("empty list: %s", got.Body)
		}
		want := []string{"o0", "o1", "o2", "o3", "o4", "o5", "o6"}
		for _, id := range want {
			putOrg(t, s, id, "Org "+id)
		}
		ids, pages := paged(t, s, "/orgs?limit=3", "orgs", "org_id")
		if d := cmp.Diff(want, ids); d != "" || pages != 3 {
			t.Errorf("%d pages: %s", pages, d)
		}
	})
}
