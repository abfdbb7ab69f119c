package admin_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/imports"
	"github.com/grantd/grantd/server/senders"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// line returns a customer of an import: person with an id.
func line(id, org string, more ...object) object {
	o := person(org)
	o["customer_id"] = id
	for _, m := range more {
		for k, v := range m {
			o[k] = v
		}
	}
	return o
}

func importAll(t *testing.T, s *harness.Server, check bool, lines ...object) []any {
	t.Helper()
	return do(t, s, "POST", "/customers/import", object{"check": check, "customers": lines}, 200)["results"].([]any)
}

func TestImport(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putOrg(t, s, "acme", "Acme")
		putOrg(t, s, "other", "Other")
		do(t, s, "PUT", "/customers/10001", person("acme"), 201)
		do(t, s, "PUT", "/customers/10002", person("acme"), 201)
		lines := []object{
			line("10001", "acme"),
			line("10002", "acme", object{"phone": phoneTwo}),
			line("10003", "acme", object{"type": "business", "language": "es", "authorized_users": []any{object{"name": "Jane", "phone": phoneThree}}}),
			line("10001", "other"),
			line("10004", "nobody"),
			line("10005", "acme", object{"phone": "0136"}),
			line("a b", "acme"),
			line("10006", "acme", object{"type": "person"}),
			line("10007", "acme", object{"language": "FR"}),
			line("10008", "acme", object{"authorized_users": []any{object{"name": "Jane", "phone": phoneThree}}}),
		}
		refused := func(field, why string) object {
			return object{"result": "refused", "field": field, "error": why}
		}
		want := []any{
			object{"result": "unchanged"}, object{"result": "updated"}, object{"result": "created"},
			refused("org_id", "a customer's org cannot be changed: delete the customer and make another one"),
			refused("org_id", "there is no org with this id: make it first (grantd org put)"),
			refused("phone", "phone must be a telephone number with its country code, such as +15555550136"),
			refused("customer_id", "a customer's id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -"),
			refused("type", "type is individual or business"),
			refused("language", "language is one of "+strings.Join(senders.Languages(), ", ")+", with the same capital letters"),
			refused("authorized_users", "only a business has authorized users, at most 100, each with a name of one line and a phone"),
		}
		before := s.AdminDo(t, "GET", "/customers", nil).Body
		if d := cmp.Diff(want, importAll(t, s, true, lines...)); d != "" {
			t.Errorf("checked: %s", d)
		}
		if after := s.AdminDo(t, "GET", "/customers", nil).Body; after != before {
			t.Errorf("the check changed something:\n%s\nto\n%s", before, after)
		}
		if done := actions(t, s, "customer:10003"); done != nil {
			t.Errorf("the check is in the audit: %v", done)
		}
		if d := cmp.Diff(want, importAll(t, s, false, lines...)); d != "" {
			t.Errorf("written: %s", d)
		}
		ids, _ := paged(t, s, "/customers?limit=50", "customers", "customer_id")
		if d := cmp.Diff([]string{"10001", "10002", "10003"}, ids); d != "" {
			t.Error(d)
		}
		got := do(t, s, "GET", "/customers/10003", nil, 200)
		if got["type"] != "business" || got["language"] != "es" || len(got["authorized_users"].([]any)) != 1 {
			t.Errorf("imported is %v", got)
		}
		// Importing the same lines again changes nothing.
		for i, r := range importAll(t, s, false, lines[:3]...) {
			if r.(object)["result"] != "unchanged" {
				t.Errorf("line %d again: %v", i, r)
			}
		}
		for id, done := range map[string][]string{
			"10001": {"customer.create", "customer.update invalid_request"}, // refused: the line names another org
			"10002": {"customer.create", "customer.update"},
			"10003": {"customer.create"},
		} {
			if d := cmp.Diff(done, actions(t, s, "customer:"+id)); d != "" {
				t.Errorf("%s: %s", id, d)
			}
		}
		unmasked(t, "the audit", s.AdminDo(t, "GET", "/audit?limit=500", nil).Body)
		unmasked(t, "the log", s.Logs.String())
	})
}

// A customer that is twice in one call is put twice, and the last line wins. The
// command line refuses such a file.
func TestImportTwice(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	putOrg(t, s, "acme", "Acme")
	got := importAll(t, s, false, line("10001", "acme"), line("10001", "acme", object{"phone": phoneTwo}))
	if d := cmp.Diff([]any{object{"result": "created"}, object{"result": "updated"}}, got); d != "" {
		t.Error(d)
	}
	if c := do(t, s, "GET", "/customers/10001", nil, 200); c["phone"] != "+*******0137" {
		t.Errorf("the customer has the phone %v", c["phone"])
	}
}

func TestImportRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	putOrg(t, s, "acme", "Acme")
	var most []object
	for i := range imports.Max {
		most = append(most, line(fmt.Sprint(i), "acme"))
	}
	for name, tc := range map[string]struct {
		body  any
		field string
	}{
		"empty":            {object{"customers": []object{}}, "customers"},
		"none":             {object{}, "customers"},
		"too many":         {object{"customers": append(most, line("one-more", "acme"))}, "customers"},
		"no list":          {object{"customers": line("1", "acme")}, "customers"},
		"unknown member":   {object{"customers": most[:1], "dry_run": true}, ""},
		"unknown in one":   {object{"customers": []object{line("1", "acme", object{"version": 1})}}, ""},
		"mistyped in one":  {object{"customers": []object{line("1", "acme", object{"phone": 15555550142})}}, "phone"},
		"mistyped person":  {object{"customers": []object{line("1", "acme", object{"authorized_users": []any{"Jane"}})}}, "authorized_users"},
		"check is no bool": {object{"customers": most[:1], "check": "yes"}, "check"},
		"no body":          {nil, ""},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			got := do(t, s, "POST", "/customers/import", tc.body, 400)
			if got["error"] != "invalid_request" || (tc.field != "" && got["field"] != tc.field) {
				t.Errorf("got %v, want an error at %q", got, tc.field)
			}
			unmasked(t, "the response", mustJSON(t, got))
		})
	}
	if got := s.AdminDo(t, "GET", "/customers", nil).Body; got != `{"customers":[]}` {
		t.Errorf("refused requests created %s", got)
	}
	for i, r := range importAll(t, s, false, most...) {
		if r.(object)["result"] != "created" {
			t.Errorf("line %d of %d: %v", i, len(most), r)
		}
	}
}

// If the store fails in the middle, the call ends with 503. The customers written
// before are complete, and the next call reports them as unchanged.
func TestImportWithoutTheStore(t *testing.T) {
	t.Parallel()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(e)
	s := harness.Start(t, harness.Options{Use: faulty})
	putOrg(t, s, "acme", "Acme")
	importAll(t, s, false, line("10001", "acme"))

	down := errors.Join(errors.New("down"), store.ErrUnavailable)
	both := object{"customers": []object{line("10001", "acme"), line("10002", "acme")}}
	faulty.Fail("CreateCustomer", down)
	if got := do(t, s, "POST", "/customers/import", both, 503); got["error"] != "temporarily_unavailable" {
		t.Errorf("%v", got)
	}
	faulty.Heal("CreateCustomer")
	want := []any{object{"result": "unchanged"}, object{"result": "created"}}
	if d := cmp.Diff(want, importAll(t, s, false, both["customers"].([]object)...)); d != "" {
		t.Error(d)
	}
	for _, method := range []string{"GetOrg", "GetCustomer"} { // a check must not call the lines valid
		faulty.Fail(method, down)
		do(t, s, "POST", "/customers/import", object{"check": true, "customers": both["customers"]}, 503)
		faulty.Heal(method)
	}
}
