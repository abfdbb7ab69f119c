package protocol_test

import (
	"testing"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

const badGrant = "unsupported_grant_type"

func TestTokenParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	auth := basic(w.app)
	unsupported := func(name, body string) row {
		return row{name: name, call: ask(body, auth), status: 400, code: badGrant}
	}
	const missing, twice = "grant_type is missing", "stands more than once"
	w.run(t, []row{
		refused("P01_grant_type_missing", ask("scope=users:read", auth), missing),
		refused("P02_grant_type_empty", ask("grant_type=", auth), missing),
		refused("P02_grant_type_without_equals", ask("grant_type", auth), missing),
		unsupported("P03_password", "grant_type=password&username=u&password=p"),
		unsupported("P03_implicit", "grant_type=implicit"),
		unsupported("P03_foo", "grant_type=foo"),
		unsupported("P04_case", "grant_type=Client_Credentials"),
		unsupported("P05_trailing_space", "grant_type=client_credentials%20"),
		unsupported("P05_leading_space", "grant_type=+client_credentials"),
		unsupported("P06_refresh_token", "grant_type=refresh_token&refresh_token=x"),
		unsupported("P06_authorization_code", "grant_type=authorization_code&code=x"),
		refused("P07_grant_type_twice_different", ask("grant_type=password&"+grant, auth), twice),
		refused("P08_grant_type_twice_same", ask(grant+"&"+grant, auth), twice),
		refused("P08_grant_type_twice_one_empty", ask("grant_type=&"+grant, auth), twice),
		refused("P09_scope_twice", ask(grant+"&scope=users:read&scope=users:read", auth), twice),
		refused("P10_client_id_twice", ask(grant+credentials(w.app)+"&client_id=app"), twice),
		refused("P10_client_secret_twice", ask(grant+credentials(w.app)+"&client_secret=another-0123456789"), twice),
		granted("P11_query_is_ignored", form("/oauth/token?grant_type=password&scope=users:write", grant+"&scope=users:read", auth)).withScope("users:read"),
		refused("P12_parameters_in_query_only", form("/oauth/token?"+grant, "", auth), missing),
		granted("P13_unknown_parameter", ask(grant+"&foo=bar", auth)),
		granted("P14_unknown_parameter_repeated", ask(grant+"&foo=bar&foo=baz", auth)),
		granted("P16_brackets", ask(grant+"&foo[bar]=1&scope[]=a", auth)).withScope(appScope),
		granted("P17_order", ask("scope=users:read&client_secret="+w.app.ClientSecret+"&client_id=app&"+grant)).withScope("users:read"),
		granted("P18_parameters_of_other_grants", ask(grant+"&redirect_uri=x&code=x&code_verifier=x&response_type=token", auth)),
		granted("P19_encoded_name", ask("%67rant_type=client_credentials", auth)),
		granted("P19_encoded_value", ask("grant_type=client%5Fcredentials", auth)),
		granted("P20_plus_is_a_space", ask(grant+"&scope=users:read+users:write", auth)).withScope(appScope),
		{name: "P20_encoded_plus_is_a_plus", call: ask(grant+"&scope=users:read%2Busers:write", auth), status: 400, code: badScope, says: "does not have"},
		failed("P21_client_id_is_not_trimmed", ask(grant+"&client_id=+app+&client_secret="+w.app.ClientSecret)),
		failed("P21_client_id_is_not_trimmed_basic", ask(grant, basicOf(" app", w.app.ClientSecret))),
		failed("P21_client_secret_is_not_trimmed", ask(grant+"&client_id=app&client_secret="+w.app.ClientSecret+"+")),
	})
	t.Run("P10_no_authentication_is_tried", func(t *testing.T) {
		fresh := w.client(t, "fresh", appScope)
		before := w.store.Calls("GetClient")
		refused("", call{}, twice).check(t, w.send(t, ask(grant+credentials(fresh)+"&client_id=app")))
		if w.store.Calls("GetClient") != before {
			t.Error("the client was looked up")
		}
	})
}

// response_type stands in for an absent grant_type (contract §3, seeds/002's
// table); nowhere else does it mean anything.
func TestResponseTypeStandsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	auth := basic(w.app)
	w.run(t, []row{
		granted("P01_response_type_stands_in", ask("response_type=client_credentials", auth)),
		granted("P01_response_type_stands_in_json", post("/oauth/token", `{"response_type":"client_credentials"}`, jsonType, auth)),
		granted("P01_beside_empty_grant_type", ask("grant_type=&response_type=client_credentials", auth)),
		refused("P01_other_response_type", ask("response_type=token", auth), "grant_type is missing"),
		refused("P01_response_type_twice", ask("response_type=client_credentials&response_type=client_credentials", auth), "more than once"),
		{name: "P03_grant_type_goes_first", call: ask("response_type=client_credentials&grant_type=password", auth), status: 400, code: badGrant},
		granted("P18_response_type_is_ignored_beside_it", ask(grant+"&response_type=code", auth)),
	})
}

// The examples of the documents that this server is made for, word for word.
func TestSeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const secret = "rXDV5m_XkOI9XpEou_w-yW5A_Dby_EwHNg-5sHLnqnE"
	w.keep(secret)
	ttl := int64(7200)
	scope := "users:read users:write subscriptions:read"
	w.client(t, "3oyGaZLxkppqDi5V3kLw0e2mDh97ioEH6jMvSgYuhzE", scope, func(s *clients.NewSpec) {
		s.SecretHash, s.TokenTTL = bcryptOf(t, secret), &ttl
	})
	w.client(t, "abc", "accounts", func(s *clients.NewSpec) { s.SecretHash = bcryptOf(t, "xyz") })
	const body = `{
  "client_id": "3oyGaZLxkppqDi5V3kLw0e2mDh97ioEH6jMvSgYuhzE",
  "client_secret": "rXDV5m_XkOI9XpEou_w-yW5A_Dby_EwHNg-5sHLnqnE",
  "grant_type": "client_credentials",
  "scope": "users:read users:write"
}`
	w.keep("xyz")
	w.run(t, []row{
		{name: "T11_seed_002_example", call: post("/oauth/token", body, "accept: application/json", jsonType), status: 200,
			also: func(t *testing.T, r harness.Response) {
				b := r.JSON(t)
				if b["expires_in"] != 7200.0 || b["scope"] != "users:read users:write" || b["created_at"] == nil || len(b) != 5 {
					t.Errorf("response: %v", b)
				}
			}},
		granted("A02_seed_003_example", form("/token", "client_id=abc&client_secret=xyz&grant_type=client_credentials", "Accept: application/json")),
	})
}

// RFC 8707; contract §3.
func TestResource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const cards = "https://cards.example/api"
	with := w.client(t, "with", appScope, func(s *clients.NewSpec) { s.Resources = &[]string{cards, accounts} })
	rs := w.client(t, "rs-any", "introspect", func(s *clients.NewSpec) {
		r := cards
		s.Resource, s.TokenUses = &r, &[]store.TokenUse{store.UseClient}
	})
	auth := basic(with)
	refusedTarget := func(name, body string) row {
		return row{name: name, call: ask(grant+body, auth), status: 400, code: "invalid_target"}
	}
	for _, row := range []struct {
		name, body string
		want       any
	}{
		{"P15_resource_repeated", "&resource=" + cards + "&resource=" + accounts, []any{cards, accounts}},
		{"P15_resource_repeated_same", "&resource=" + cards + "&resource=" + cards, cards},
		{"X01_one_resource", "&resource=https%3A%2F%2Fcards.example%2Fapi", cards},
		{"X01_no_resource_means_all", "", []any{cards, accounts}},
		{"X01_empty_resource_is_none", "&resource=", []any{cards, accounts}},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := w.send(t, ask(grant+row.body, auth)).JSON(t)["access_token"].(string)
			got := w.send(t, form("/oauth/introspect", "token="+token, basic(rs))).JSON(t)
			if !equal(got["aud"], row.want) {
				t.Errorf("aud %v, want %v", got["aud"], row.want)
			}
		})
	}
	w.run(t, []row{
		refusedTarget("X02_relative", "&resource=/api"),
		refusedTarget("X02_fragment", "&resource="+accounts+"%23x"),
		refusedTarget("X02_empty_fragment", "&resource="+accounts+"%23"),
		refusedTarget("X02_unknown", "&resource=https://unknown.example"),
		refusedTarget("X02_not_the_same_letters", "&resource="+accounts+"/"),
		refusedTarget("X03_one_of_two_unknown", "&resource="+accounts+"&resource=https://unknown.example"),
		refusedTarget("X03_seventeen", repeated("&resource="+accounts, 17)),
		{name: "X03_client_without_resources", call: ask(grant+"&resource="+accounts, basic(w.app)), status: 400, code: "invalid_target"},
	})
	for name, bad := range map[string]string{
		"relative": "/api", "fragment": accounts + "#x", "empty_fragment": accounts + "#", "no_host": "https://", "text": "accounts",
		"long": accounts + "/" + repeated("x", 512),
	} {
		t.Run("X02_no_client_gets_"+name, func(t *testing.T) {
			for _, body := range []map[string]any{{"resources": []string{bad}}, {"resource": bad}} {
				if r := w.AdminDo(t, "PATCH", "/clients/with", body); r.Status != 400 {
					t.Errorf("%v: %d %s", body, r.Status, r.Body)
				}
			}
		})
	}
	t.Run("X01_client_without_resources_has_no_aud", func(t *testing.T) {
		got := w.send(t, form("/oauth/introspect", "token="+w.token(t, w.app, ""), basic(w.rs))).JSON(t)
		if _, ok := got["aud"]; ok {
			t.Errorf("aud %v", got["aud"])
		}
	})
}
