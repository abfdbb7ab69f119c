// Package admin_test tests the admin API (server/admin/ADMIN_API.md) from
// outside, on both stores: clients, secrets, orgs, customers, partners, tokens,
// audit and scopes.
package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/tests/harness"
)

type object = map[string]any

func create(t *testing.T, s *harness.Server, spec object) object {
	t.Helper()
	r := s.AdminDo(t, "POST", "/clients", spec)
	if r.Status != http.StatusCreated {
		t.Fatalf("create: %d %s", r.Status, r.Body)
	}
	return r.JSON(t)
}

func do(t *testing.T, s *harness.Server, method, path string, body any, want int) object {
	t.Helper()
	r := s.AdminDo(t, method, path, body)
	if r.Status != want {
		t.Fatalf("%s %s: %d %s, want %d", method, path, r.Status, r.Body, want)
	}
	if r.Body == "" {
		return nil
	}
	return r.JSON(t)
}

// tokenFor requests a token with an id and secret. It returns "" and the status
// if the request is refused.
func tokenFor(t *testing.T, s *harness.Server, id, secret string) (string, int) {
	t.Helper()
	r := s.Form(t, "/oauth/token", id, secret, url.Values{"grant_type": {"client_credentials"}})
	if r.Status != http.StatusOK {
		return "", r.Status
	}
	return r.JSON(t)["access_token"].(string), r.Status
}

func active(t *testing.T, s *harness.Server, rs object, token string) bool {
	t.Helper()
	r := s.Form(t, "/oauth/introspect", rs["client_id"].(string), rs["client_secret"].(string), url.Values{"token": {token}})
	if r.Status != http.StatusOK {
		t.Fatalf("introspect: %d %s", r.Status, r.Body)
	}
	return r.JSON(t)["active"].(bool)
}

func TestClientLife(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := create(t, s, object{"client_id": "cards-api", "scope": "introspect"})
		putOrg(t, s, "h5D8B5gyHtk=", "Acme")
		c := create(t, s, object{"client_id": "billing", "name": "Billing", "scope": "users:read users:write", "default_scope": "users:read", "token_ttl": 7200, "org_id": "h5D8B5gyHtk="})
		id, secret := "billing", c["client_secret"].(string)
		if !strings.HasPrefix(secret, "gs_sandbox_"+c["secret_id"].(string)+"_") {
			t.Errorf("secret %q does not name its environment and id", secret)
		}
		token, _ := tokenFor(t, s, id, secret)
		if !active(t, s, rs, token) {
			t.Fatal("new token is not active")
		}

		got := do(t, s, "GET", "/clients/billing", nil, 200)
		for _, leak := range []string{"client_secret", "hash", "secrets"} {
			if _, there := got[leak]; there {
				t.Errorf("GET shows %s", leak)
			}
		}
		want := object{
			"client_id": "billing", "name": "Billing", "org_id": "h5D8B5gyHtk=", "scope": "users:read users:write", "default_scope": "users:read",
			"token_ttl": 7200.0, "auth_methods": []any{}, "source_ips": []any{}, "resources": []any{}, "token_uses": []any{}, "enforces": []any{},
			"active": true, "deactivated_at": nil,
		}
		for k, v := range want {
			if d := cmp.Diff(v, got[k]); d != "" {
				t.Errorf("%s: %s", k, d)
			}
		}

		// Widening the scopes keeps tokens, narrowing them voids them.
		do(t, s, "PATCH", "/clients/billing", object{"scope": "users:read users:write cards"}, 200)
		if !active(t, s, rs, token) {
			t.Error("widening the scopes voided a token")
		}
		do(t, s, "PATCH", "/clients/billing", object{"scope": "users:read"}, 200)
		if active(t, s, rs, token) {
			t.Error("narrowing the scopes left a token active")
		}

		token, _ = tokenFor(t, s, id, secret)
		do(t, s, "POST", "/clients/billing/void-tokens", nil, 200)
		if active(t, s, rs, token) {
			t.Error("void-tokens left a token active")
		}

		token, _ = tokenFor(t, s, id, secret)
		got = do(t, s, "POST", "/clients/billing/deactivate", nil, 200)
		if got["active"] != false || got["deactivated_at"] == nil {
			t.Errorf("deactivated client shows as %v", got)
		}
		if _, status := tokenFor(t, s, id, secret); status != 401 {
			t.Errorf("deactivated client gets %d", status)
		}
		do(t, s, "POST", "/clients/billing/reactivate", nil, 200)
		if active(t, s, rs, token) {
			t.Error("reactivating revived a token")
		}
		fresh, status := tokenFor(t, s, id, secret)
		if status != 200 || !active(t, s, rs, fresh) {
			t.Errorf("reactivated client gets %d", status)
		}

		do(t, s, "DELETE", "/clients/billing", nil, 204)
		if active(t, s, rs, fresh) {
			t.Error("deleting left a token active")
		}
		do(t, s, "GET", "/clients/billing", nil, 404)
		// The id can be used again; the old tokens and secrets stay ended.
		again := create(t, s, object{"client_id": "billing", "scope": "users:read users:write"})
		if active(t, s, rs, fresh) {
			t.Error("recreating revived a token")
		}
		if _, status := tokenFor(t, s, id, secret); status != 401 {
			t.Errorf("the old secret works for the recreated client: %d", status)
		}
		if _, status := tokenFor(t, s, id, again["client_secret"].(string)); status != 200 {
			t.Errorf("the new secret does not work: %d", status)
		}
	})
}

func TestSecrets(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := create(t, s, object{"client_id": "cards-api", "scope": "introspect"})
		c := create(t, s, object{"client_id": "billing", "scope": "users:read"})
		first := c["client_secret"].(string)
		oldToken, _ := tokenFor(t, s, "billing", first)

		r := do(t, s, "POST", "/clients/billing/secrets", object{"grace": "1h"}, 201)
		second := r["client_secret"].(string)
		if r["previous_expires_at"] == nil {
			t.Error("previous_expires_at is null after a rotation with grace")
		}
		newToken, _ := tokenFor(t, s, "billing", second)
		if _, status := tokenFor(t, s, "billing", first); status != 200 {
			t.Errorf("old secret inside its grace: %d", status)
		}
		// Rotating again with a longer grace does not extend the first secret.
		before := do(t, s, "GET", "/clients/billing/secrets", nil, 200)["secrets"].([]any)[0].(object)["expires_at"]
		do(t, s, "POST", "/clients/billing/secrets", object{"grace": "30d"}, 201)
		list := do(t, s, "GET", "/clients/billing/secrets", nil, 200)["secrets"].([]any)
		if after := list[0].(object)["expires_at"]; len(list) != 3 || after != before {
			t.Errorf("%d secrets; the first ends at %v, before at %v", len(list), after, before)
		}
		for _, field := range []string{"id", "created_at", "expires_at", "last_used_at", "last_used_ip", "use_count"} {
			if _, there := list[2].(object)[field]; !there {
				t.Errorf("a secret's %s is not listed", field)
			}
		}

		// A client has at most five live secrets.
		do(t, s, "POST", "/clients/billing/secrets", nil, 201)
		do(t, s, "POST", "/clients/billing/secrets", nil, 201)
		do(t, s, "POST", "/clients/billing/secrets", nil, 409)

		// Ending a secret with its tokens leaves the tokens of other secrets.
		do(t, s, "DELETE", "/clients/billing/secrets/"+c["secret_id"].(string)+"?void_tokens=true", nil, 204)
		if active(t, s, rs, oldToken) {
			t.Error("a token of the ended secret is active")
		}
		if !active(t, s, rs, newToken) {
			t.Error("ending one secret ended a token of another")
		}
		if _, status := tokenFor(t, s, "billing", first); status != 401 {
			t.Errorf("ended secret: %d", status)
		}

		// An old secret ends by itself after its grace; its tokens live on.
		s.Clock.Add(2 * 3600e9)
		if _, status := tokenFor(t, s, "billing", second); status != 200 {
			t.Errorf("second secret, 30 days of grace: %d", status)
		}
		do(t, s, "POST", "/clients/billing/secrets", object{"grace": "0s"}, 201)
		if _, status := tokenFor(t, s, "billing", second); status != 401 {
			t.Errorf("second secret after grace 0s: %d", status)
		}
		if list := do(t, s, "GET", "/clients/billing/secrets", nil, 200)["secrets"].([]any); len(list) != 1 {
			t.Errorf("%d live secrets after grace 0s, want 1", len(list))
		}
	})
}

func TestClientRejections(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	create(t, s, object{"client_id": "billing", "scope": "users:read"})
	long := strings.Repeat("x", 129)
	for _, tc := range []struct {
		name, method, path string
		body               any
		status             int
		code, field        string
	}{
		{"id taken", "POST", "/clients", object{"client_id": "billing"}, 409, "conflict", ""},
		{"id with a slash", "POST", "/clients", object{"client_id": "a/b"}, 400, "invalid_request", "client_id"},
		{"id too long", "POST", "/clients", object{"client_id": long}, 400, "invalid_request", "client_id"},
		{"org id with a space", "POST", "/clients", object{"org_id": "a b"}, 400, "invalid_request", "org_id"},
		{"unknown org", "POST", "/clients", object{"org_id": "nobody"}, 400, "invalid_request", "org_id"},
		{"unknown member", "POST", "/clients", object{"scopes": "users:read"}, 400, "invalid_request", "scopes"},
		{"null for an object", "POST", "/clients", json.RawMessage("null"), 400, "invalid_request", ""},
		{"null for a patch", "PATCH", "/clients/billing", json.RawMessage("null"), 400, "invalid_request", ""},
		{"wrong type", "POST", "/clients", object{"token_ttl": "1h"}, 400, "invalid_request", "token_ttl"},
		{"unknown scope", "POST", "/clients", object{"scope": "no:such"}, 400, "invalid_request", "scope"},
		{"scope not by the grammar", "POST", "/clients", object{"scope": "users:read  users:write"}, 400, "invalid_request", "scope"},
		{"default scope outside scope", "POST", "/clients", object{"scope": "users:read", "default_scope": "users:write"}, 400, "invalid_request", "default_scope"},
		{"ttl below a minute", "POST", "/clients", object{"token_ttl": 59}, 400, "invalid_request", "token_ttl"},
		{"ttl above a day", "POST", "/clients", object{"token_ttl": 86401}, 400, "invalid_request", "token_ttl"},
		{"ttl overflowing", "POST", "/clients", object{"token_ttl": int64(1) << 62}, 400, "invalid_request", "token_ttl"},
		{"negative ttl", "POST", "/clients", object{"token_ttl": -60}, 400, "invalid_request", "token_ttl"},
		{"unknown method", "POST", "/clients", object{"auth_methods": []string{"none"}}, 400, "invalid_request", "auth_methods"},
		{"bad CIDR", "POST", "/clients", object{"source_ips": []string{"10.0.0.0/33"}}, 400, "invalid_request", "source_ips"},
		{"relative resource", "POST", "/clients", object{"resources": []string{"/cards"}}, 400, "invalid_request", "resources"},
		{"resource with fragment", "POST", "/clients", object{"resource": "https://api.example.com/#x"}, 400, "invalid_request", "resource"},
		{"unknown token use", "POST", "/clients", object{"token_uses": []string{"refresh"}}, 400, "invalid_request", "token_uses"},
		{"unknown enforcement", "POST", "/clients", object{"enforces": []string{"scope"}}, 400, "invalid_request", "enforces"},
		{"name too long", "POST", "/clients", object{"name": strings.Repeat("é", 201)}, 400, "invalid_request", "name"},
		{"bare MD5 hash", "POST", "/clients", object{"secret_hash": "5f4dcc3b5aa765d61d8327deb882cf99"}, 400, "invalid_request", "secret_hash"},
		{"bcrypt of cost 15", "POST", "/clients", object{"secret_hash": "$2a$15$abcdefghijklmnopqrstuuu5Q1gW2u1eQZ0n8s1wV9b2m3n4o5p6q"}, 400, "invalid_request", "secret_hash"},
		{"argon2 of 1 GiB", "POST", "/clients", object{"secret_hash": "$argon2id$v=19$m=1048576,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"}, 400, "invalid_request", "secret_hash"},
		{"no such client", "GET", "/clients/nobody", nil, 404, "not_found", ""},
		{"update nobody", "PATCH", "/clients/nobody", object{"name": "x"}, 404, "not_found", ""},
		{"update the id", "PATCH", "/clients/billing", object{"client_id": "other"}, 400, "invalid_request", "client_id"},
		{"update the org", "PATCH", "/clients/billing", object{"org_id": "10001"}, 400, "invalid_request", ""},
		{"deactivate nobody", "POST", "/clients/nobody/deactivate", nil, 404, "not_found", ""},
		{"rotate for nobody", "POST", "/clients/nobody/secrets", nil, 404, "not_found", ""},
		{"grace without unit", "POST", "/clients/billing/secrets", object{"grace": "3600"}, 400, "invalid_request", "grace"},
		{"grace above 30 days", "POST", "/clients/billing/secrets", object{"grace": "31d"}, 400, "invalid_request", "grace"},
		{"negative grace", "POST", "/clients/billing/secrets", object{"grace": "-1h"}, 400, "invalid_request", "grace"},
		{"no such secret", "DELETE", "/clients/billing/secrets/AAAAAAAA", nil, 404, "not_found", ""},
		{"void_tokens not a truth value", "DELETE", "/clients/billing/secrets/AAAAAAAA?void_tokens=yes", nil, 400, "invalid_request", "void_tokens"},
		{"page too large", "GET", "/clients?limit=501", nil, 400, "invalid_request", "limit"},
		{"cursor made up", "GET", "/clients?cursor=%20", nil, 400, "invalid_request", "cursor"},
		{"unknown path", "GET", "/nothing", nil, 404, "not_found", ""},
		{"unknown method on a path", "PUT", "/clients", nil, 405, "invalid_request", ""},
		{"explain without a token", "POST", "/tokens/explain", object{}, 400, "invalid_request", "token"},
		{"revoke with token and jti", "POST", "/tokens/revoke", object{"token": "a", "jti": "b"}, 400, "invalid_request", ""},
		{"revoke a bad jti", "POST", "/tokens/revoke", object{"jti": "b"}, 400, "invalid_request", "jti"},
		{"revoke an unknown token", "POST", "/tokens/revoke", object{"token": "gt_sandbox_x"}, 404, "not_found", ""},
	} {
		t.Run(strings.ReplaceAll(tc.name, " ", "_"), func(t *testing.T) {
			got := do(t, s, tc.method, tc.path, tc.body, tc.status)
			if got["error"] != tc.code || (tc.field != "" && got["field"] != tc.field) {
				t.Errorf("got %v, want error %s at %q", got, tc.code, tc.field)
			}
		})
	}
}

func TestBodiesAreStrict(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	for name, body := range map[string]string{
		"repeated member": `{"name":"a","name":"b"}`,
		"trailing data":   `{"name":"a"} {}`,
		"an array":        `[]`,
		"not JSON":        `name=a`,
		"empty":           ``,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			req, _ := http.NewRequest("POST", "http://grantd/admin/v1/clients", strings.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			if r := harness.Do(t, s.Admin, req); r.Status != 400 {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
	req, _ := http.NewRequest("POST", "http://grantd/admin/v1/clients", strings.NewReader(`{}`))
	if r := harness.Do(t, s.Admin, req); r.Status != 400 {
		t.Errorf("without a content type: %d %s", r.Status, r.Body)
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	create(t, s, object{"client_id": "billing", "scope": "users:read"})
	etag := s.AdminDo(t, "GET", "/clients/billing", nil).Header.Get("ETag")
	change := func(etag string) int {
		req, _ := http.NewRequest("PATCH", "http://grantd/admin/v1/clients/billing", strings.NewReader(`{"name":"B"}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("If-Match", etag)
		return harness.Do(t, s.Admin, req).Status
	}
	if got := change(etag); got != 200 {
		t.Errorf("with the current ETag: %d", got)
	}
	if got := change(etag); got != 412 {
		t.Errorf("with a stale ETag: %d, want 412", got)
	}
	if got := change("junk"); got != 400 {
		t.Errorf("with junk: %d, want 400", got)
	}
	before := s.AdminDo(t, "GET", "/clients/billing", nil).Header.Get("ETag")
	s.AdminDo(t, "DELETE", "/clients/billing", nil)
	create(t, s, object{"client_id": "billing", "scope": "users:read"})
	for _, old := range []string{etag, before} {
		if got := change(old); got != 412 {
			t.Errorf("with the ETag of a deleted client of the same id: %d, want 412", got)
		}
	}
}

func TestPages(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		for i := range 7 {
			create(t, s, object{"client_id": fmt.Sprintf("c%d", i)})
		}
		var ids []string
		for cursor := ""; ; {
			page := do(t, s, "GET", "/clients?limit=3&cursor="+cursor, nil, 200)
			for _, c := range page["clients"].([]any) {
				ids = append(ids, c.(object)["client_id"].(string))
			}
			next, more := page["next_cursor"].(string)
			if !more {
				break
			}
			cursor = next
		}
		if d := cmp.Diff([]string{"c0", "c1", "c2", "c3", "c4", "c5", "c6"}, ids); d != "" {
			t.Error(d)
		}
	})
}
