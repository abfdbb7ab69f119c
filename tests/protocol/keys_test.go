package protocol_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

const pathKeys = "/users/2/api-tokens"

// keyWorld is a world with a backend of an org that may manage its API keys.
type keyWorld struct {
	*world
	token string          // of the backend
	api   clients.Created // accepts keys
}

func newKeyWorld(t *testing.T, w *world) *keyWorld {
	t.Helper()
	k := &keyWorld{world: w}
	w.admin(t, "PUT", "/orgs/"+acme, map[string]any{"name": "Acme"})
	w.admin(t, "PUT", "/orgs/"+wayne, map[string]any{"name": "Wayne Enterprises"})
	k.token = k.tokenOf(t, "keeper", acme, "cards customers api-tokens api-tokens-write")
	k.api = w.server(t, "key-api", []store.TokenUse{store.UseClient, store.UseKey}, "", "source_ip", "resources")
	return k
}

// tokenOf returns the token of a new client of the org with the scopes.
func (k *keyWorld) tokenOf(t *testing.T, id, org, scope string) string {
	t.Helper()
	c := k.NewClient(t, id, scope, func(s *clients.NewSpec) { s.OrgID = org })
	return k.Token(t, c, scope)
}

func (k *keyWorld) ask(attributes, token string) call {
	return document(pathKeys, "apiToken", attributes, bearer(token))
}

// in returns the time after d in RFC 3339.
func (k *keyWorld) in(d time.Duration) string {
	return k.Clock.Now().UTC().Add(d).Format(time.RFC3339)
}

// make makes a key and returns it with its id.
func (k *keyWorld) make(t *testing.T, attributes string) (key, id string) {
	t.Helper()
	r := k.send(t, k.ask(attributes, k.token))
	if r.Status != http.StatusCreated {
		t.Fatal(r.Status, r.Body)
	}
	id, _ = r.JSON(t)["data"].(map[string]any)["id"].(string)
	return attribute(t, r, "token"), id
}

func (k *keyWorld) sees(t *testing.T, rs clients.Created, key string, want bool) {
	t.Helper()
	if got := k.Introspect(t, rs, key).JSON(t)["active"]; got != want {
		t.Errorf("%s sees the key as active: %v, want %v", rs.ClientID, got, want)
	}
}

// TestKeys has what is refused of API keys, and what a key can do.
func TestKeys(t *testing.T) {
	t.Parallel()
	k := newKeyWorld(t, newWorld(t))
	const good = `{"description":"report","scope":"cards"}`
	with := func(member string) string { return `{"description":"report","scope":"cards",` + member + `}` }
	at := func(name, attributes, attribute string) row {
		return unsound(name, k.ask(attributes, k.token), "/data/attributes/"+attribute)
	}
	key, id := k.make(t, with(`"sourceIp":"192.0.2.7","resources":[{"type":"card","ids":["12"]}],"expiration":"`+k.in(365*24*time.Hour)+`"`))
	plain, plainID := k.make(t, good)
	orgless := k.Token(t, k.NewClient(t, "orgless", "cards api-tokens api-tokens-write"), "cards api-tokens api-tokens-write")
	stranger := k.tokenOf(t, "stranger", wayne, "cards api-tokens api-tokens-write")
	reader := k.tokenOf(t, "reader", acme, "cards api-tokens")
	denied := func(name string, c call, status int, code string) row {
		return row{name: name, call: c, status: status, code: code}
	}
	get := func(path, token string) call {
		return call{method: "GET", target: path, headers: []string{bearer(token)}}
	}
	end := func(path, token string) call {
		return call{method: "DELETE", target: path, headers: []string{bearer(token)}}
	}
	k.run(t, []row{
		at("description_missing", `{"scope":"cards"}`, "description"), at("description_of_two_lines", `{"description":"a\nb","scope":"cards"}`, "description"),
		at("expiration_past", with(`"expiration":"2020-01-01T00:00:00Z"`), "expiration"), at("expiration_far", with(`"expiration":"`+k.in(366*24*time.Hour)+`"`), "expiration"),
		at("expiration_date", with(`"expiration":"2027-01-31"`), "expiration"), at("expiration_number", with(`"expiration":1800000000`), "expiration"),
		at("sourceIp_blank", with(`"sourceIp":"192.0.2.1, 192.0.2.2"`), "sourceIp"), at("resources_type", with(`"resources":[{"type":"loan","ids":["1"]}]`), "resources"),
		at("resources_empty", with(`"resources":[]`), "resources"), at("unknown_attribute", with(`"endpoints":[]`), "endpoints"),
		{name: "scope_not_held", call: k.ask(`{"description":"d","scope":"cards payments"}`, k.token), status: 403, code: "insufficient_scope", pointer: "/data/attributes/scope", needs: "payments"},
		{name: "scope_admin", call: k.ask(`{"description":"d","scope":"admin:write"}`, k.token), status: 400, code: "invalid_scope", pointer: "/data/attributes/scope"},
		{name: "scope_introspect", call: k.ask(`{"description":"d","scope":"introspect"}`, k.token), status: 400, code: "invalid_scope", pointer: "/data/attributes/scope"},
		{name: "scope_keys", call: k.ask(`{"description":"d","scope":"api-tokens-write"}`, k.token), status: 400, code: "invalid_scope", pointer: "/data/attributes/scope"},
		denied("no_bearer", document(pathKeys, "apiToken", good), 401, "invalid_token"),
		denied("key_as_bearer", k.ask(good, plain), 401, "invalid_token"), denied("key_lists", get(pathKeys, plain), 401, "invalid_token"),
		denied("key_revokes", end(pathKeys+"/"+id, plain), 401, "invalid_token"),
		denied("client_without_org", k.ask(good, orgless), 403, "access_denied"), denied("client_without_org_lists", get(pathKeys, orgless), 403, "access_denied"),
		{name: "may_only_list", call: k.ask(good, reader), status: 403, code: "insufficient_scope", needs: "api-tokens-write"},
		denied("list_of_another_org", get(pathKeys, stranger), 404, "not_found"), denied("list_of_another_owner", get("/users/3/api-tokens", k.token), 404, "not_found"),
		denied("revoke_of_another_org", end(pathKeys+"/"+id, stranger), 404, "not_found"), denied("revoke_of_another_owner", end("/users/3/api-tokens/"+id, k.token), 404, "not_found"),
		denied("revoke_unknown", end(pathKeys+"/Zz9Zz9Zz", k.token), 404, "not_found"), denied("owner_malformed", get("/users/a%20b/api-tokens", k.token), 400, "invalid_request"),
		denied("query", get(pathKeys+"?limit=1", k.token), 400, "invalid_request"),
		{name: "list", call: get(pathKeys, reader), status: 200, also: func(t *testing.T, r harness.Response) {
			if strings.Contains(r.Body, "gk_") || !strings.Contains(r.Body, id) {
				t.Error(r.Body)
			}
		}},
	})
	t.Run("visibility", func(t *testing.T) {
		k.sees(t, k.api, plain, true)
		k.sees(t, k.api, key, true)
		k.sees(t, k.server(t, "key-blind", []store.TokenUse{store.UseClient}, ""), plain, false)
		generic := k.server(t, "key-generic", []store.TokenUse{store.UseKey}, "")
		k.sees(t, generic, plain, true)
		k.sees(t, generic, key, false)
		for org, want := range map[string]bool{acme: true, wayne: false} {
			rs := k.NewClient(t, "key-of-"+strings.Trim(org, "="), "introspect", func(s *clients.NewSpec) { s.OrgID, s.TokenUses = org, &[]store.TokenUse{store.UseKey} })
			k.sees(t, rs, plain, want)
		}
		r := k.Introspect(t, k.api, plain).JSON(t)
		if r["sub"] != "org:"+acme || r["org_id"] != acme || r["token_use"] != "key" || r["jti"] != plainID || r["scope"] != "cards" || r["client_id"] != nil {
			t.Errorf("%v", r)
		}
	})
	t.Run("revoke", func(t *testing.T) {
		for range 2 {
			if r := k.send(t, end(pathKeys+"/"+id, k.token)); r.Status != 200 || strings.Contains(r.Body, "gk_") {
				t.Error(r.Status, r.Body)
			}
		}
		k.sees(t, k.api, key, false)
	})
	t.Run("org", func(t *testing.T) {
		k.admin(t, "POST", "/orgs/"+acme+"/deactivate", nil)
		k.sees(t, k.api, plain, false)
		k.admin(t, "POST", "/orgs/"+acme+"/reactivate", nil)
		k.sees(t, k.api, plain, false)
	})
}
