package protocol_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/clients"
)

// Scope requests are strict: the client gets every scope that it asks for, or
// none.
func TestScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	auth := basic(w.app)
	narrow := w.client(t, "narrow", appScope, func(s *clients.NewSpec) { d := "users:read"; s.DefaultScope = &d })
	admin := w.client(t, "admin", "users:read introspect admin:read admin:write")
	only := w.client(t, "only", "introspect")
	refusedScope := func(name, scope, says string) row {
		return row{name: name, call: ask(grant+"&scope="+scope, auth), status: 400, code: badScope, says: says}
	}
	const unknown, syntax, long = "does not have", "single spaces", "too long"
	w.run(t, []row{
		granted("scope_granted", ask(grant+"&scope=users:read", auth)).withScope("users:read"),
		granted("scope_omitted/omitted_means_the_defaults", ask(grant, basic(narrow))).withScope("users:read"),
		granted("scope_omitted/omitted_without_defaults_means_all", ask(grant, auth)).withScope(appScope),
		granted("scope_omitted/omitted_means_no_rights_over_grantd", ask(grant, basic(admin))).withScope("users:read"),
		granted("scope_omitted/rights_over_grantd_by_name", ask(grant+"&scope=introspect+admin:read+admin:write", basic(admin))).withScope("introspect admin:read admin:write"),
		{name: "scope_omitted/omitted_and_nothing_to_default_to", call: ask(grant, basic(only)), status: 400, code: badScope, says: "no default scopes"},
		granted("scope_empty", ask(grant+"&scope=", basic(narrow))).withScope("users:read"),
		refusedScope("scope_unknown", "invoices:read", unknown),
		refusedScope("scope_unknown/one_of_two_unknown", "users:read+invoices:read", unknown),
		refusedScope("scope_not_allowed", "subscriptions:read", "this client may not have"),
		refusedScope("scope_not_allowed/one_of_two_not_allowed", "users:read+subscriptions:read", "this client may not have"),
		refusedScope("scope_not_allowed/right_over_grantd", "admin:write", "this client may not have"),
		// grantd never narrows a scope, so the response always holds what was asked for.
		granted("scope_is_returned", ask(grant+"&scope=users:write", auth)).withScope("users:write"),
		granted("scope_order", ask(grant+"&scope=users:write+users:read", auth)).withScope("users:write users:read"),
		granted("scope_duplicate", ask(grant+"&scope=users:read+users:read", auth)).withScope("users:read"),
		refusedScope("scope_separator/double_space", "users:read++users:write", syntax),
		refusedScope("scope_separator/leading_space", "+users:read", syntax),
		refusedScope("scope_separator/trailing_space", "users:read+", syntax),
		refusedScope("scope_separator/only_a_space", "+", syntax),
		refusedScope("scope_separator/comma", "users:read,users:write", "not by a comma"),
		refusedScope("scope_separator/tab", "users:read%09users:write", syntax),
		refusedScope("scope_characters/quote", "%22users:read%22", syntax),
		refusedScope("scope_characters/backslash", "users%5Cread", syntax),
		refusedScope("scope_characters/control", "users%01read", syntax),
		refusedScope("scope_characters/delete", "users%7Fread", syntax),
		refusedScope("scope_characters/non_ascii", "us%C3%A9rs", syntax),
		refusedScope("scope_characters/no_break_space", "users:read%C2%A0users:write", syntax),
		refusedScope("scope_boundary_characters/boundary_characters_are_syntax", "%21+%23+%5B+%5D+~", unknown),
		refusedScope("scope_case", "Users:Read", unknown),
		refusedScope("scope_no_wildcard/star", "users:*", unknown),
		refusedScope("scope_no_wildcard/star_alone", "*", unknown),
		refusedScope("scope_no_wildcard/prefix", "users", unknown),
		refusedScope("scope_length/4_kb", strings.Repeat("a", 4096), long),
		refusedScope("scope_length/4_kb_of_names", strings.Repeat("users:read+", 400)+"users:read", long),
		refusedScope("scope_length/65_names", strings.Repeat("users:read+", scopes.MaxNames)+"users:read", long),
		granted("scope_length/64_names", ask(grant+"&scope="+strings.Repeat("users:read+", scopes.MaxNames-1)+"users:write", auth)).withScope(appScope),
	})
}

// The catalogue decides about every name that the grammar allows.
func TestScopeOfACatalogue(t *testing.T) {
	t.Parallel()
	const names = "! # [ ] ~ a:b/c?d=e&f"
	file := filepath.Join(t.TempDir(), "scopes.yaml")
	var list strings.Builder
	for name := range strings.SplitSeq(names, " ") {
		list.WriteString("- {name: '" + name + "', description: x, ttl: 1m}\n")
	}
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorldWithout(t, func(c *config.Config) { c.Scopes.File = file })
	odd := w.client(t, "odd", names)
	w.run(t, []row{
		granted("scope_boundary_characters/boundary_characters_in_the_catalogue", ask(grant+"&scope=%5B+%21+~", basic(odd))).withScope("[ ! ~"),
		granted("scope_boundary_characters/all", ask(grant, basic(odd))).withScope(names),
		{name: "scope_unknown/built_in_names_are_gone", call: ask(grant+"&scope=users:read", basic(odd)), status: 400, code: badScope, says: "does not have"},
	})
	t.Run("token_lifetime/cap_of_a_scope", func(t *testing.T) {
		if got := w.send(t, ask(grant, basic(odd))).JSON(t)["expires_in"]; got != 60.0 {
			t.Errorf("expires_in %v, want 60", got)
		}
	})
}

// A preset is a whole catalog: its scopes, and none of the built-in ones.
func TestScopeOfAPreset(t *testing.T) {
	t.Parallel()
	w := newWorldWithout(t, func(c *config.Config) { c.Scopes.Preset = "unit" })
	backend := w.client(t, "preset", "applications wire-drawdowns-write")
	w.run(t, []row{
		granted("scope_boundary_characters/names_of_the_preset", ask(grant+"&scope=applications+wire-drawdowns-write", basic(backend))).withScope("applications wire-drawdowns-write"),
		{name: "scope_unknown/built_in_names_are_not_in_a_preset", call: ask(grant+"&scope=users:read", basic(backend)), status: 400, code: badScope, says: "does not have"},
	})
	t.Run("scope_unknown/list_of_a_preset", func(t *testing.T) {
		body := w.AdminDo(t, "GET", "/scopes", nil).Body
		for _, want := range []string{`"payments-write-counterparty"`, `"introspect"`, `"admin:write"`} {
			if !strings.Contains(body, want) {
				t.Errorf("GET /scopes does not list %s", want)
			}
		}
		if strings.Contains(body, "users:read") {
			t.Error("GET /scopes lists a built-in scope")
		}
	})
}

// Taking a scope from a client ends its tokens; giving it one does not.
func TestNarrowing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	change := func(scope string) {
		t.Helper()
		if _, err := w.Clients().Update(t.Context(), audit.Actor{Name: "test"}, "app", 0, clients.Spec{Scope: &scope}); err != nil {
			t.Fatal(err)
		}
	}
	token := w.token(t, w.app, "users:read")
	t.Run("scope_change/widening_keeps_tokens", func(t *testing.T) {
		change(appScope + " subscriptions:read")
		if !w.introspect(t, w.rs, token) {
			t.Error("inactive")
		}
	})
	t.Run("scope_change/narrowing_voids", func(t *testing.T) {
		change("users:write")
		if w.introspect(t, w.rs, token) {
			t.Error("active")
		}
		if !w.introspect(t, w.rs, w.token(t, w.app, "")) {
			t.Error("a token issued afterwards is inactive")
		}
	})
}
