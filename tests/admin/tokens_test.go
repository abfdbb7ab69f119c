package admin_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/harness"
)

func explain(t *testing.T, s *harness.Server, token string) object {
	t.Helper()
	return do(t, s, "POST", "/tokens/explain", object{"token": token}, 200)
}

func TestExplain(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		c := create(t, s, object{"client_id": "billing", "scope": "users:read", "token_ttl": 3600})
		secret := c["client_secret"].(string)
		mint := func() string {
			token, status := tokenFor(t, s, "billing", secret)
			if status != 200 {
				t.Fatalf("token: %d", status)
			}
			return token
		}
		check := func(token string, want object) {
			t.Helper()
			got := explain(t, s, token)
			for k, v := range want {
				if got[k] != v {
					t.Errorf("%s is %v, want %v; all: %v", k, got[k], v, got)
				}
			}
			if strings.Contains(mustJSON(t, got), token) {
				t.Error("the explanation holds the token")
			}
		}

		token := mint()
		check(token, object{"state": "active", "client_id": "billing", "scope": "users:read", "secret_id": c["secret_id"], "secret_state": "live", "client_state": "active"})

		do(t, s, "POST", "/tokens/revoke", object{"token": token}, 200)
		check(token, object{"state": "revoked", "ended_by": "uid:0"})

		token = mint()
		do(t, s, "POST", "/tokens/revoke", object{"jti": explain(t, s, token)["jti"]}, 200)
		check(token, object{"state": "revoked"})

		token = mint()
		s.Form(t, "/oauth/revoke", "billing", secret, map[string][]string{"token": {token}})
		check(token, object{"state": "revoked", "ended_by": "client:billing"})

		token = mint()
		do(t, s, "POST", "/clients/billing/void-tokens", nil, 200)
		check(token, object{"state": "void", "void_of": "client:billing", "ended_by": "uid:0", "client_state": "active"})

		token = mint()
		do(t, s, "POST", "/clients/billing/deactivate", nil, 200)
		check(token, object{"state": "void", "client_state": "deactivated"})
		do(t, s, "POST", "/clients/billing/reactivate", nil, 200)

		token = mint()
		r := do(t, s, "POST", "/clients/billing/secrets", object{"grace": "1h"}, 201)
		do(t, s, "DELETE", "/clients/billing/secrets/"+c["secret_id"].(string)+"?void_tokens=true", nil, 204)
		check(token, object{"state": "void", "void_of": "secret:billing/" + c["secret_id"].(string), "secret_state": "ended"})
		secret = r["client_secret"].(string)

		token = mint()
		s.Clock.Add(2 * time.Hour)
		check(token, object{"state": "expired"})
		if explain(t, s, token)["ended_at"] == nil {
			t.Error("an expired token does not say since when")
		}

		check(damaged(mint()), object{"state": "malformed"})
		check("gt_live_"+token[len("gt_sandbox_"):], object{"state": "foreign_environment"})
		check("v2.public.eyJyb2xlIjoiY3VzdG9tZX", object{"state": "malformed"})

		token = mint()
		do(t, s, "DELETE", "/clients/billing", nil, 204)
		check(token, object{"state": "void", "client_state": "deleted"})
	})
}

func TestAudit(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		c := create(t, s, object{"client_id": "billing", "scope": "users:read"})
		secret := c["client_secret"].(string)
		token, _ := tokenFor(t, s, "billing", secret)
		tokenFor(t, s, "billing", "wrong")
		s.Form(t, "/oauth/revoke", "billing", secret, map[string][]string{"token": {token}})
		do(t, s, "PATCH", "/clients/billing", object{"name": "Billing"}, 200)
		do(t, s, "PATCH", "/clients/billing", object{"token_ttl": 1}, 400)
		do(t, s, "POST", "/clients/billing/deactivate", nil, 200)
		do(t, s, "DELETE", "/clients/billing", nil, 204)

		want := map[string]string{
			"client.create": "done", "token.issue": "done", "client.authentication_refused": "invalid_client",
			"token.revoke": "done", "client.deactivate": "done", "client.delete": "done",
		}
		seen := map[string]object{}
		deadline := time.Now().Add(10 * time.Second) // events are written in batches
		for len(seen) < len(want)+2 && time.Now().Before(deadline) {
			seen = map[string]object{}
			for _, e := range do(t, s, "GET", "/audit?limit=100", nil, 200)["events"].([]any) {
				ev := e.(object)
				seen[ev["action"].(string)+" "+ev["outcome"].(string)] = ev
			}
			time.Sleep(20 * time.Millisecond)
		}
		for action, outcome := range want {
			if seen[action+" "+outcome] == nil {
				t.Errorf("the audit has no event %s with outcome %s", action, outcome)
			}
		}
		if seen["client.update invalid_request"] == nil {
			t.Error("the refused change is not audited")
		}
		update := seen["client.update done"]
		if update == nil || update["actor"] != "uid:0" || update["target"] != "client:billing" || update["request_id"] == "" ||
			update["before"].(object)["name"] != "" || update["after"].(object)["name"] != "Billing" {
			t.Errorf("client.update is %v", update)
		}
		all := mustJSON(t, seen) + s.Logs.String()
		for _, kept := range []string{secret, token, "sha256$"} {
			if strings.Contains(all, kept) {
				t.Error("audit or log holds a secret, a token or a hash")
			}
		}
	})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	list := do(t, s, "GET", "/scopes", nil, 200)["scopes"].([]any)
	first := list[0].(object)
	if first["name"] != "subscriptions:read" || first["read_only"] != true || first["sensitive"] != false {
		t.Errorf("first scope: %v", first)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
