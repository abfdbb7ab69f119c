package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
)

const partnerScope = "customers accounts cards"

// putPartner creates a partner to which orgs may grant partnerScope.
func putPartner(t *testing.T, s *harness.Server, id string) object {
	t.Helper()
	return do(t, s, "PUT", "/partners/"+id, object{"name": "Hurdlr", "scope": partnerScope}, http.StatusCreated)
}

// partnerToken creates a partner token and returns it and its id.
func partnerToken(t *testing.T, s *harness.Server, partner string) (token, id string) {
	t.Helper()
	made := do(t, s, "POST", "/partners/"+partner+"/tokens", object{"name": "reporting"}, http.StatusCreated)
	return made["token"].(string), made["token_id"].(string)
}

// putGrant creates or changes a grant and returns it.
func putGrant(t *testing.T, s *harness.Server, partner, org string, spec object) object {
	t.Helper()
	r := s.AdminDo(t, "PUT", "/partners/"+partner+"/orgs/"+org, spec)
	if r.Status != 200 && r.Status != 201 {
		t.Fatalf("grant of %s to %s: %d %s", org, partner, r.Status, r.Body)
	}
	return r.JSON(t)
}

// onBehalf requests an on-behalf token for the org. It returns "" and the status
// if the request is refused.
func onBehalf(t *testing.T, s *harness.Server, partnerToken, org, scope string) (string, int) {
	t.Helper()
	r := document(t, s, partnerToken, "/partners/token", "createOnBehalfToken", object{"orgId": org, "scopes": scope})
	if r.Status != http.StatusCreated {
		return "", r.Status
	}
	return r.JSON(t)["data"].(object)["attributes"].(object)["token"].(string), r.Status
}

// newPartnersRS creates a resource server that accepts the tokens of partners.
func newPartnersRS(t *testing.T, s *harness.Server) object {
	t.Helper()
	return create(t, s, object{
		"client_id": "cards-api", "scope": "introspect",
		"token_uses": []string{"client", "on_behalf", "partner"}, "enforces": []string{"endpoints", "source_ip"},
	})
}

// alliance is a server with a partner that has grants of two orgs.
type alliance struct {
	*harness.Server
	t       *testing.T
	rs      object
	token   string // the partner's
	tokenID string
}

func newAlliance(t *testing.T, s *harness.Server) *alliance {
	t.Helper()
	a := &alliance{Server: s, t: t, rs: newPartnersRS(t, s)}
	putPartner(t, s, "hurdlr")
	for _, org := range []string{"acme", "other"} {
		putOrg(t, s, org, "Org "+org)
		putGrant(t, s, "hurdlr", org, object{"scope": "customers cards"})
	}
	a.renew()
	return a
}

// renew gives the partner a new token, which the other methods use.
func (a *alliance) renew() {
	a.t.Helper()
	a.token, a.tokenID = partnerToken(a.t, a.Server, "hurdlr")
}

// mint returns a new, active token on behalf of the org.
func (a *alliance) mint(org string) string {
	a.t.Helper()
	token, status := onBehalf(a.t, a.Server, a.token, org, "cards")
	if status != 201 || !a.active(token) {
		a.t.Fatalf("a token on behalf of %s: %d", org, status)
	}
	return token
}

// refused checks that a request for a token on behalf of the org gets the
// status.
func (a *alliance) refused(after, org string, status int) {
	a.t.Helper()
	if _, got := onBehalf(a.t, a.Server, a.token, org, "cards"); got != status {
		a.t.Errorf("%s: request for a token on behalf of %s: %d, want %d", after, org, got, status)
	}
}

func (a *alliance) active(token string) bool {
	a.t.Helper()
	return active(a.t, a.Server, a.rs, token)
}

// wants checks whether the tokens are active: all of them if live, none
// otherwise.
func (a *alliance) wants(after string, live bool, tokens ...string) {
	a.t.Helper()
	for i, token := range tokens {
		if a.active(token) != live {
			a.t.Errorf("%s: active of token %d is %v", after, i, !live)
		}
	}
}

func TestPartnerLife(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		made := putPartner(t, s, "h5D8B5gyHtk=")
		want := object{
			"partner_id": "h5D8B5gyHtk=", "name": "Hurdlr", "scope": "customers accounts cards", "active": true, "deactivated_at": nil,
			"created_at": made["created_at"], "updated_at": made["created_at"], "version": made["version"],
		}
		if d := cmp.Diff(want, made); d != "" {
			t.Error(d)
		}
		if same := do(t, s, "PUT", "/partners/h5D8B5gyHtk=", object{"name": "Hurdlr", "scope": partnerScope}, 200); same["version"] != made["version"] {
			t.Errorf("a second PUT changed the version: %v, before %v", same["version"], made["version"])
		}
		changed := do(t, s, "PUT", "/partners/h5D8B5gyHtk=", object{"name": "Hurdlr Inc.", "scope": "cards"}, 200)
		if changed["name"] != "Hurdlr Inc." || changed["scope"] != "cards" || changed["version"] == made["version"] || changed["created_at"] != made["created_at"] {
			t.Errorf("changed it is %v", changed)
		}
		if d := cmp.Diff(changed, do(t, s, "GET", "/partners/h5D8B5gyHtk=", nil, 200)); d != "" {
			t.Error(d)
		}
		if off := do(t, s, "POST", "/partners/h5D8B5gyHtk=/deactivate", nil, 200); off["active"] != false || off["deactivated_at"] == nil {
			t.Errorf("deactivated it is %v", off)
		}
		if on := do(t, s, "POST", "/partners/h5D8B5gyHtk=/reactivate", nil, 200); on["active"] != true || on["deactivated_at"] != nil {
			t.Errorf("reactivated it is %v", on)
		}
		do(t, s, "POST", "/partners/h5D8B5gyHtk=/void-tokens", nil, 200)
		do(t, s, "DELETE", "/partners/h5D8B5gyHtk=", nil, 204)
		do(t, s, "GET", "/partners/h5D8B5gyHtk=", nil, 404)
		do(t, s, "DELETE", "/partners/h5D8B5gyHtk=", nil, 404)

		// The audit has every change, and no event if nothing changed.
		done := []string{
			"partner.create", "partner.update", "partner.deactivate", "partner.reactivate", "partner.void_tokens",
			"partner.delete", "partner.delete not_found",
		}
		if d := cmp.Diff(done, actions(t, s, "partner:h5D8B5gyHtk=")); d != "" {
			t.Error(d)
		}
		for _, e := range events(t, s, "partner:h5D8B5gyHtk=") {
			if name, _ := e["actor"].(string); !strings.HasPrefix(name, "uid:") || e["request_id"] == "" {
				t.Errorf("the event has no actor or no request id: %v", e)
			}
			if e["action"] == "partner.update" && (e["before"].(object)["scope"] != partnerScope || e["after"].(object)["scope"] != "cards") {
				t.Errorf("before and after in the event: %v", e)
			}
		}
	})
}

func TestPartnerRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	putPartner(t, s, "hurdlr")
	of := func(member string, value any) object {
		o := object{"name": "Hurdlr", "scope": "cards"}
		o[member] = value
		if value == nil {
			delete(o, member)
		}
		return o
	}
	good := of("name", "Hurdlr")
	for _, tc := range []struct {
		name, method, path string
		body               any
		status             int
		field              string
	}{
		{"id with a blank", "PUT", "/partners/a%20b", good, 400, "partner_id"},
		{"id with a colon", "PUT", "/partners/a:b", good, 400, "partner_id"},
		{"id too long", "PUT", "/partners/" + strings.Repeat("x", 129), good, 400, "partner_id"},
		{"id with a slash", "PUT", "/partners/a%2Fb", good, 404, ""},
		{"no name", "PUT", "/partners/new", of("name", nil), 400, "name"},
		{"empty name", "PUT", "/partners/new", of("name", ""), 400, "name"},
		{"blank name", "PUT", "/partners/new", of("name", " \u00a0"), 400, "name"},
		{"name of two lines", "PUT", "/partners/new", of("name", "A\nB"), 400, "name"},
		{"name written backwards", "PUT", "/partners/new", of("name", "A\u202eB"), 400, "name"},
		{"name too long", "PUT", "/partners/new", of("name", strings.Repeat("é", 65)), 400, "name"},
		{"name of another type", "PUT", "/partners/new", of("name", 1), 400, "name"},
		{"no scope", "PUT", "/partners/new", of("scope", nil), 400, "scope"},
		{"empty scope", "PUT", "/partners/new", of("scope", ""), 400, "scope"},
		{"two blanks", "PUT", "/partners/new", of("scope", "cards  customers"), 400, "scope"},
		{"scope in quotes", "PUT", "/partners/new", of("scope", `"cards"`), 400, "scope"},
		{"unknown scope", "PUT", "/partners/new", of("scope", "cards no:such"), 400, "scope"},
		{"scope that writes", "PUT", "/partners/new", of("scope", "cards cards-write"), 400, "scope"},
		{"scope that changes", "PUT", "/partners/new", of("scope", "users:write"), 400, "scope"},
		{"sensitive scope", "PUT", "/partners/new", of("scope", "cards-sensitive"), 400, "scope"},
		{"sensitive scope that writes", "PUT", "/partners/new", of("scope", "cards-sensitive-write"), 400, "scope"},
		{"scope to make customer tokens", "PUT", "/partners/new", of("scope", "customer-token-write"), 400, "scope"},
		{"webhooks", "PUT", "/partners/new", of("scope", "webhooks"), 400, "scope"},
		{"partners", "PUT", "/partners/new", of("scope", "partners"), 400, "scope"},
		{"introspect", "PUT", "/partners/new", of("scope", "introspect"), 400, "scope"},
		{"admin:read", "PUT", "/partners/new", of("scope", "admin:read"), 400, "scope"},
		{"admin:write", "PUT", "/partners/new", of("scope", "admin:write"), 400, "scope"},
		{"unknown member", "PUT", "/partners/new", of("active", false), 400, ""},
		{"its id in the body", "PUT", "/partners/new", of("partner_id", "new"), 400, ""},
		{"no body", "PUT", "/partners/new", nil, 400, ""},
		{"nobody", "GET", "/partners/new", nil, 404, ""},
		{"delete nobody", "DELETE", "/partners/new", nil, 404, ""},
		{"deactivate nobody", "POST", "/partners/new/deactivate", nil, 404, ""},
		{"reactivate nobody", "POST", "/partners/new/reactivate", nil, 404, ""},
		{"void tokens of nobody", "POST", "/partners/new/void-tokens", nil, 404, ""},
		{"an id that none can have", "GET", "/partners/a%20b", nil, 404, ""},
		{"page too large", "GET", "/partners?limit=501", nil, 400, "limit"},
		{"cursor made up", "GET", "/partners?cursor=%20", nil, 400, "cursor"},
		{"a method that it does not take", "POST", "/partners", good, 405, ""},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			got := do(t, s, tc.method, tc.path, tc.body, tc.status)
			if tc.field != "" && (got["error"] != "invalid_request" || got["field"] != tc.field) {
				t.Errorf("got %v, want an error at %q", got, tc.field)
			}
		})
	}
	if list := do(t, s, "GET", "/partners", nil, 200)["partners"].([]any); len(list) != 1 {
		t.Errorf("refused requests created %d partners", len(list)-1)
	}
}

// A change that was begun for one version of a record never changes another.
func TestPartnerETags(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putPartner(t, s, "hurdlr")
		putOrg(t, s, "acme", "Acme")
		for path, body := range map[string]func(n int) object{
			"/partners/other": func(n int) object { return object{"name": fmt.Sprint("Name ", n), "scope": "cards"} },
			"/partners/hurdlr/orgs/acme": func(n int) object {
				return object{"scope": "cards", "endpoints": []string{fmt.Sprint("GET /cards/", n)}}
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
			if got := s.AdminDo(t, "GET", path, nil).Header.Get("ETag"); got != second.Header.Get("ETag") {
				t.Errorf("%s: read with the ETag %[3]q, changed to %[2]q", path, second.Header.Get("ETag"), got)
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

func TestPartnerPages(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		if got := s.AdminDo(t, "GET", "/partners", nil); got.Body != `{"partners":[]}` {
			t.Errorf("empty list: %s", got.Body)
		}
		want := []string{"+a", "-a", "10", "9", "A", "a", "a0", "a=", "b"}
		for _, id := range want {
			putPartner(t, s, id)
			putOrg(t, s, id, "Org "+id)
		}
		ids, pages := paged(t, s, "/partners?limit=4", "partners", "partner_id")
		if d := cmp.Diff(want, ids); d != "" || pages != 3 {
			t.Errorf("%d pages: %s", pages, d)
		}
		// The list has the grants of one partner, not those of partners whose
		// ids begin with the same characters.
		if got := s.AdminDo(t, "GET", "/partners/a/orgs", nil); got.Body != `{"orgs":[]}` {
			t.Errorf("empty list: %s", got.Body)
		}
		for _, org := range want {
			putGrant(t, s, "a", org, object{"scope": "cards"})
		}
		for _, partner := range []string{"A", "a0", "a=", "b"} {
			putGrant(t, s, partner, "9", object{"scope": "cards"})
		}
		ids, pages = paged(t, s, "/partners/a/orgs?limit=4", "orgs", "org_id")
		if d := cmp.Diff(want, ids); d != "" || pages != 3 {
			t.Errorf("%d pages: %s", pages, d)
		}
		if ids, _ = paged(t, s, "/partners/a=/orgs?limit=4", "orgs", "org_id"); len(ids) != 1 {
			t.Errorf("another partner has the grants of %v", ids)
		}
	})
}
