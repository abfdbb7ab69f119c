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
	const missing, twice = "grant_type is missing", "is repeated"
	w.run(t, []row{
		refused("grant_type_missing", ask("scope=users:read", auth), missing),
		refused("grant_type_empty", ask("grant_type=", auth), missing),
		refused("grant_type_empty/without_equals", ask("grant_type", auth), missing),
		unsupported("grant_type_unsupported/password", "grant_type=password&username=u&password=p"),
		unsupported("grant_type_unsupported/implicit", "grant_type=implicit"),
		unsupported("grant_type_unsupported/foo", "grant_type=foo"),
		unsupported("grant_type_is_case_sensitive", "grant_type=Client_Credentials"),
		unsupported("grant_type_is_not_trimmed/trailing_space", "grant_type=client_credentials%20"),
		unsupported("grant_type_is_not_trimmed/leading_space", "grant_type=+client_credentials"),
		unsupported("no_other_flows/refresh_token", "grant_type=refresh_token&refresh_token=x"),
		unsupported("no_other_flows/authorization_code", "grant_type=authorization_code&code=x"),
		refused("grant_type_repeated_differently", ask("grant_type=password&"+grant, auth), twice),
		refused("grant_type_repeated", ask(grant+"&"+grant, auth), twice),
		refused("grant_type_repeated/one_empty", ask("grant_type=&"+grant, auth), twice),
		refused("scope_repeated", ask(grant+"&scope=users:read&scope=users:read", auth), twice),
		refused("credentials_repeated/client_id", ask(grant+credentials(w.app)+"&client_id=app"), twice),
		refused("credentials_repeated/client_secret", ask(grant+credentials(w.app)+"&client_secret=another-0123456789"), twice),
		granted("parameters_in_query_are_ignored", form("/oauth/token?grant_type=password&scope=users:write", grant+"&scope=users:read", auth)).withScope("users:read"),
		refused("parameters_only_in_query", form("/oauth/token?"+grant, "", auth), missing),
		granted("unknown_parameter", ask(grant+"&foo=bar", auth)),
		granted("unknown_parameter_repeated", ask(grant+"&foo=bar&foo=baz", auth)),
		granted("brackets_mean_nothing", ask(grant+"&foo[bar]=1&scope[]=a", auth)).withScope(appScope),
		granted("parameter_order", ask("scope=users:read&client_secret="+w.app.ClientSecret+"&client_id=app&"+grant)).withScope("users:read"),
		granted("other_flows_parameters", ask(grant+"&redirect_uri=x&code=x&code_verifier=x&response_type=token", auth)),
		granted("encoded_parameters/encoded_name", ask("%67rant_type=client_credentials", auth)),
		granted("encoded_parameters/encoded_value", ask("grant_type=client%5Fcredentials", auth)),
		granted("plus_in_form/plus_is_a_space", ask(grant+"&scope=users:read+users:write", auth)).withScope(appScope),
		{name: "plus_in_form/encoded_plus_is_a_plus", call: ask(grant+"&scope=users:read%2Busers:write", auth), status: 400, code: badScope, says: "does not have"},
		failed("credentials_are_not_trimmed/client_id", ask(grant+"&client_id=+app+&client_secret="+w.app.ClientSecret)),
		failed("credentials_are_not_trimmed/client_id_basic", ask(grant, basicOf(" app", w.app.ClientSecret))),
		failed("credentials_are_not_trimmed/client_secret", ask(grant+"&client_id=app&client_secret="+w.app.ClientSecret+"+")),
	})
	t.Run("credentials_repeated/no_authentication_is_tried", func(t *testing.T) {
		fresh := w.client(t, "fresh", appScope)
		before := w.store.Calls("GetClient")
		refused("", call{}, twice).check(t, w.send(t, ask(grant+credentials(fresh)+"&client_id=app")))
		if w.store.Calls("GetClient") != before {
			t.Error("the client was looked up")
		}
	})
}

// response_type=client_credentials counts as grant_type if that is absent,
// because the documentation of one API lists it so. Otherwise response_type is
// ignored.
func TestResponseTypeStandsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	auth := basic(w.app)
	w.run(t, []row{
		granted("grant_type_missing/response_type_stands_in", ask("response_type=client_credentials", auth)),
		granted("grant_type_missing/response_type_stands_in_json", post("/oauth/token", `{"response_type":"client_credentials"}`, jsonType, auth)),
		granted("grant_type_missing/beside_empty_grant_type", ask("grant_type=&response_type=client_credentials", auth)),
		refused("grant_type_missing/other_response_type", ask("response_type=token", auth), "grant_type is missing"),
		refused("grant_type_missing/response_type_twice", ask("response_type=client_credentials&response_type=client_credentials", auth), "is repeated"),
		{name: "grant_type_unsupported/grant_type_goes_first", call: ask("response_type=client_credentials&grant_type=password", auth), status: 400, code: badGrant},
		granted("other_flows_parameters/response_type", ask(grant+"&response_type=code", auth)),
	})
}

// The example requests in the documentation of two APIs that grantd replaces,
// verbatim.
func TestDocumentedExamples(t *testing.T) {
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
		{name: "json_object_of_strings/users_api_example", call: post("/oauth/token", body, "accept: application/json", jsonType), status: 200,
			also: func(t *testing.T, r harness.Response) {
				b := r.JSON(t)
				if b["expires_in"] != 7200.0 || b["scope"] != "users:read users:write" || b["created_at"] == nil || len(b) != 5 {
					t.Errorf("response: %v", b)
				}
			}},
		granted("client_secret_post/banking_api_example", form("/token", "client_id=abc&client_secret=xyz&grant_type=client_credentials", "Accept: application/json")),
	})
}

// The parameter resource of RFC 8707.
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
		{"resource_may_repeat", "&resource=" + cards + "&resource=" + accounts, []any{cards, accounts}},
		{"resource_may_repeat/same", "&resource=" + cards + "&resource=" + cards, cards},
		{"resource_granted/one_resource", "&resource=https%3A%2F%2Fcards.example%2Fapi", cards},
		{"resource_granted/no_resource_means_all", "", []any{cards, accounts}},
		{"resource_granted/empty_resource_is_none", "&resource=", []any{cards, accounts}},
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
		refusedTarget("resource_malformed/relative", "&resource=/api"),
		refusedTarget("resource_malformed/fragment", "&resource="+accounts+"%23x"),
		refusedTarget("resource_malformed/empty_fragment", "&resource="+accounts+"%23"),
		refusedTarget("resource_malformed/unknown", "&resource=https://unknown.example"),
		refusedTarget("resource_malformed/not_the_same_letters", "&resource="+accounts+"/"),
		refusedTarget("resource_not_allowed/one_of_two_unknown", "&resource="+accounts+"&resource=https://unknown.example"),
		refusedTarget("resource_not_allowed/seventeen", repeated("&resource="+accounts, 17)),
		{name: "resource_not_allowed/client_without_resources", call: ask(grant+"&resource="+accounts, basic(w.app)), status: 400, code: "invalid_target"},
	})
	for name, bad := range map[string]string{
		"relative": "/api", "fragment": accounts + "#x", "empty_fragment": accounts + "#", "no_host": "https://", "text": "accounts",
		"long": accounts + "/" + repeated("x", 512),
	} {
		t.Run("resource_malformed/no_client_gets_"+name, func(t *testing.T) {
			for _, body := range []map[string]any{{"resources": []string{bad}}, {"resource": bad}} {
				if r := w.AdminDo(t, "PATCH", "/clients/with", body); r.Status != 400 {
					t.Errorf("%v: %d %s", body, r.Status, r.Body)
				}
			}
		})
	}
	t.Run("resource_granted/client_without_resources_has_no_aud", func(t *testing.T) {
		got := w.send(t, form("/oauth/introspect", "token="+w.token(t, w.app, ""), basic(w.rs))).JSON(t)
		if _, ok := got["aud"]; ok {
			t.Errorf("aud %v", got["aud"])
		}
	})
}
