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
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

const importedTail = "$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg"

// importedLine returns a client of an import.
func importedLine(id string, more ...object) object {
	o := object{"client_id": id, "scope": "users:read", "secret_hash": "$pbkdf2-sha256$25000" + importedTail}
	for _, m := range more {
		for k, v := range m {
			o[k] = v
		}
	}
	return o
}

func importClients(t *testing.T, s *harness.Server, check bool, lines ...object) []any {
	t.Helper()
	return do(t, s, "POST", "/clients/import", object{"check": check, "clients": lines}, 200)["results"].([]any)
}

func TestImportClients(t *testing.T) {
	const differs = "there is a client with this id, and it differs: an import changes no client. Leave the line out, or change one of the two"
	refused := func(field, why string) object {
		return object{"result": "refused", "field": field, "error": why}
	}
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putOrg(t, s, "acme", "Acme")
		importClients(t, s, false, importedLine("there"), importedLine("gone"))
		lines := []object{
			importedLine("there"),
			importedLine("there", object{"secret_hash": "$pbkdf2-sha256$i=25000,l=16" + importedTail + "=="}), // another spelling
			importedLine("new", object{"org_id": "acme", "name": "New", "token_ttl": 600, "auth_methods": []any{"client_secret_post"}}),
			importedLine("several", object{"secret_hash": nil, "secret_hashes": []any{hashOf(t, "one", 10), hashOf(t, "two", 10)}}),
			importedLine("there", object{"scope": "users:read users:write"}),
			importedLine("there", object{"name": "There"}),
			importedLine("there", object{"source_ips": []any{"10.0.0.0/8"}}),
			importedLine("there", object{"org_id": "acme"}),
			importedLine("there", object{"secret_hash": "$pbkdf2-sha256$25001" + importedTail}),
			importedLine(""),
			importedLine("a b"),
			importedLine("1", object{"org_id": "nobody"}),
			importedLine("2", object{"scope": "users:fly"}),
			importedLine("3", object{"secret_hash": nil}),
			importedLine("4", object{"secret_hash": "{noop}secret"}),
			importedLine("5", object{"secret_hashes": []any{hashOf(t, "x", 10)}}),
			importedLine("6", object{"secret_hash": nil, "secret_hashes": []any{}}),
			importedLine("7", object{"secret_hash": nil, "secret_hashes": []any{"$pbkdf2-sha256$25000" + importedTail, "$pbkdf2-sha256$i=25000" + importedTail}}),
			importedLine("8", object{"token_ttl": 1}),
		}
		want := []any{
			object{"result": "unchanged"}, object{"result": "unchanged"}, object{"result": "created"}, object{"result": "created"},
			refused("scope", differs), refused("name", differs), refused("source_ips", differs), refused("org_id", differs), refused("secret_hash", differs),
			refused("client_id", "client_id is missing: a client that is imported keeps its id"),
			refused("client_id", "client_id must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -"),
			refused("org_id", "there is no org with this id: make it first (grantd org put)"),
			refused("scope", scopeFault(t, s, "users:fly")),
			refused("secret_hash", "secret_hash is missing: a client that is imported keeps its secret. To make a client with a new secret use grantd client create"),
			refused("secret_hash", "secret_hash is {noop}, which is the secret itself and not a hash: hash it first, or give the client a new secret"),
			refused("secret_hashes", "secret_hash and secret_hashes are both given: use one of them"),
			refused("secret_hashes", "secret_hashes is a list of 1 to 5 different hashes"),
			refused("secret_hashes", "secret_hashes is a list of 1 to 5 different hashes"),
			refused("token_ttl", "token_ttl must be 60 to 86400 seconds, or 0 for the server's default"),
		}
		before := s.AdminDo(t, "GET", "/clients", nil).Body
		if d := cmp.Diff(want, importClients(t, s, true, lines...)); d != "" {
			t.Errorf("checked: %s", d)
		}
		if after := s.AdminDo(t, "GET", "/clients", nil).Body; after != before || actions(t, s, "client:new") != nil {
			t.Errorf("the check changed something:\n%s\nto\n%s", before, after)
		}
		if d := cmp.Diff(want, importClients(t, s, false, lines...)); d != "" {
			t.Errorf("written: %s", d)
		}
		for i, r := range importClients(t, s, false, lines[:4]...) {
			if r.(object)["result"] != "unchanged" {
				t.Errorf("line %d again: %v", i, r)
			}
		}
		got := do(t, s, "GET", "/clients/new", nil, 200)
		if got["org_id"] != "acme" || got["name"] != "New" || got["token_ttl"] != 600.0 || got["weak"] != true {
			t.Errorf("imported is %v", got)
		}
		if d := cmp.Diff([]string{"client.create"}, actions(t, s, "client:new")); d != "" {
			t.Error(d)
		}
		for _, secret := range []string{"one", "two"} {
			if _, status := tokenFor(t, s, "several", secret); status != 200 {
				t.Errorf("the secret %s: %d", secret, status)
			}
		}
		if all := s.AdminDo(t, "GET", "/audit?limit=500", nil).Body + s.Logs.String(); strings.Contains(all, "MDEyMzQ1") || strings.Contains(all, "$2a$") {
			t.Error("the audit or the log holds a hash")
		}
	})
}

// scopeFault returns what the server says of an unknown scope at creation.
func scopeFault(t *testing.T, s *harness.Server, scope string) string {
	t.Helper()
	return do(t, s, "POST", "/clients", object{"client_id": "x", "scope": scope}, 400)["error_description"].(string)
}

// A secret that an operator ended stays ended, whatever is imported again.
func TestImportRevivesNothing(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	line := importedLine("old", object{"secret_hash": hashOf(t, "right", 10)})
	importClients(t, s, false, line)
	if _, status := tokenFor(t, s, "old", "right"); status != 200 {
		t.Fatalf("imported: %d", status)
	}
	secrets := do(t, s, "GET", "/clients/old/secrets", nil, 200)["secrets"].([]any)
	do(t, s, "DELETE", "/clients/old/secrets/"+secrets[0].(object)["id"].(string), nil, 204)
	if r := importClients(t, s, false, line); r[0].(object)["result"] != "unchanged" {
		t.Errorf("imported again: %v", r)
	}
	if _, status := tokenFor(t, s, "old", "right"); status != 401 {
		t.Errorf("the ended secret works: %d", status)
	}
}

func TestImportClientsRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	var most []object
	for i := range imports.Max {
		most = append(most, importedLine(fmt.Sprint(i)))
	}
	for name, tc := range map[string]struct {
		body  any
		field string
	}{
		"empty":           {object{"clients": []object{}}, "clients"},
		"none":            {object{}, "clients"},
		"too many":        {object{"clients": append(most, importedLine("one-more"))}, "clients"},
		"unknown member":  {object{"clients": most[:1], "dry_run": true}, ""},
		"unknown in one":  {object{"clients": []object{importedLine("1", object{"client_secret": "x"})}}, ""},
		"mistyped in one": {object{"clients": []object{importedLine("1", object{"secret_hashes": "x"})}}, "secret_hashes"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			got := do(t, s, "POST", "/clients/import", tc.body, 400)
			if got["error"] != "invalid_request" || (tc.field != "" && got["field"] != tc.field) {
				t.Errorf("got %v, want an error at %q", got, tc.field)
			}
		})
	}
	if r := importClients(t, s, false, most...); len(r) != imports.Max || r[99].(object)["result"] != "created" {
		t.Errorf("%v", r)
	}
}

// If the store fails in the middle, the call ends with 503, and can be repeated.
func TestImportClientsWithoutTheStore(t *testing.T) {
	t.Parallel()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(e)
	s := harness.Start(t, harness.Options{Use: faulty})
	importClients(t, s, false, importedLine("1"))
	down := errors.Join(errors.New("down"), store.ErrUnavailable)
	both := object{"clients": []object{importedLine("1"), importedLine("2")}}
	faulty.Fail("CreateClient", down)
	do(t, s, "POST", "/clients/import", both, 503)
	faulty.Heal("CreateClient")
	want := []any{object{"result": "unchanged"}, object{"result": "created"}}
	if d := cmp.Diff(want, importClients(t, s, false, both["clients"].([]object)...)); d != "" {
		t.Error(d)
	}
	faulty.Fail("GetClient", down)
	do(t, s, "POST", "/clients/import", object{"check": true, "clients": both["clients"]}, 503)
	faulty.Heal("GetClient")
}
