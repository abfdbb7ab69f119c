package protocol_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// Both endpoints read documents in the same way.
func TestCustomerDocuments(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	auth := bearer(b.token)
	for _, e := range []struct{ name, path, typ, good string }{
		{"verification", "/customers/" + peter + "/token/verification", "customerTokenVerification", `{"channel":"sms"}`},
		{"token", "/customers/" + peter + "/token", "customerToken", `{"scope":"cards"}`},
	} {
		t.Run(e.name, func(t *testing.T) {
			b.run(t, b.documents(e.path, e.typ, e.good, b.token, b.backend))
			raw := func(body string) call { return post(e.path, body, apiType, auth) }
			made("good", call{}).check(t, b.send(t, raw(`{"data":{"type":"`+e.typ+`","attributes":`+e.good+`}}`)))
			for name, body := range map[string]string{
				"links": `"links":{"self":"/x"},"data":{`, "included": `"included":[{"type":"x","id":"1"}],"data":{`, "at_member": `"@x":1,"data":{"@x":{},`,
				"relationships": `"data":{"relationships":{"org":{"data":{"type":"org","id":"1"}}},`, "data_links": `"data":{"links":{},`,
				"data_meta": `"data":{"meta":{},`, "lid": `"data":{"lid":"1",`, "id_null": `"data":{"id":null,`,
			} {
				made(name, call{}).check(t, b.send(t, raw(`{`+body+`"type":"`+e.typ+`","attributes":`+e.good+`}}`)))
				made(name, call{}).check(t, b.send(t, raw(`{`+body+`"type":"`+e.typ+`","attributes":{"@x":1,`+e.good[1:]+`}}`)))
			}
			made("good_in_other_words", call{}).check(t, b.send(t, raw(` {"meta":{"a":1},"jsonapi":{"version":"1.1"},"data":{"attributes":`+e.good+`, "type":"`+e.typ+`"}}`)))
		})
	}
}

// documents makes rows of malformed documents and wrong bearers, which all
// endpoints that read documents refuse in the same way. good holds valid
// attributes, token is a valid bearer, and the secret of client is not one.
func (w *world) documents(path, typ, good, token string, client clients.Created) []row {
	auth := bearer(token)
	body := `{"data":{"type":"` + typ + `","attributes":` + good + `}}`
	capitals := strings.ToUpper(strings.Split(good, `"`)[1]) // the first attribute
	raw := func(body string) call { return post(path, body, apiType, auth) }
	with := func(member string) call { return raw(`{"data":{"type":"` + typ + `",` + member + `}}`) }
	ofType := func(typ string) row {
		return row{name: "type_" + typ, call: post(path, body, typ, auth), status: 415, code: badRequest}
	}
	rows := []row{
		ofType("Content-Type: application/json"), ofType("Content-Type: application/json; charset=utf-8"), ofType("X-None: x"), ofType("Content-Type:"),
		ofType("Content-Type: text/plain"), ofType("Content-Type: application/x-www-form-urlencoded"), ofType("Content-Type: */*"),
		ofType(apiType + `; ext="https://jsonapi.org/ext/atomic"`), ofType(apiType + ", application/json"),
		{name: "size", call: raw(`{"data":"` + strings.Repeat("x", 64<<10) + `"}`), status: 413, code: badRequest},
		{name: "size_chunked", call: call{method: "POST", target: path, headers: []string{apiType, auth}, chunked: true, body: strings.Repeat(" ", 64<<10+1)}, status: 413, code: badRequest},
		unsound("query", post(path+"?scope=cards", body, apiType, auth), ""),
		unsound("token_in_the_URL", post(path+"?access_token="+token, body, apiType), ""),
		unsound("empty", raw(""), ""),
		unsound("not_JSON", raw("channel=sms"), ""),
		unsound("not_UTF_8", raw(`{"data":{"type":"`+typ+`","attributes":{"scope":"`+"\xff"+`"}}}`), ""),
		unsound("two", raw(body+body), ""),
		unsound("list", raw("["+body+"]"), ""),
		unsound("null", raw("null"), ""),
		unsound("no_data", raw("{}"), ""),
		unsound("data_null", raw(`{"data":null}`), "/data"),
		unsound("data_text", raw(`{"data":"x"}`), "/data"),
		unsound("data_list", raw(`{"data":[{"type":"`+typ+`","attributes":`+good+`}]}`), "/data"),
		unsound("data_twice", raw(`{"data":{"type":"`+typ+`","attributes":`+good+`},"data":{}}`), ""),
		unsound("data_twice_by_case", raw(`{"data":{"type":"`+typ+`","attributes":`+good+`},"DATA":{}}`), "/DATA"),
		unsound("more_in_the_document", raw(`{"errors":[],"data":{"type":"`+typ+`","attributes":`+good+`}}`), "/errors"),
		unsound("more_in_data", with(`"attributes":`+good+`,"customer":"1"`), "/data/customer"),
		{name: "client_generated_id", call: with(`"attributes":` + good + `,"id":"1"`), status: 403, code: badRequest, pointer: "/data/id"},
		{name: "client_generated_id_empty", call: with(`"attributes":` + good + `,"id":""`), status: 403, code: badRequest, pointer: "/data/id"},
		unsound("no_attributes", raw(`{"data":{"type":"`+typ+`"}}`), "/data/attributes"),
		unsound("attributes_null", with(`"attributes":null`), "/data/attributes"),
		unsound("attributes_list", with(`"attributes":[]`), "/data/attributes"),
		unsound("attributes_text", with(`"attributes":"x"`), "/data/attributes"),
		unsound("unknown_attribute", with(`"attributes":`+strings.Replace(good, "{", `{"customerId":"10003",`, 1)), "/data/attributes/customerId"),
		unsound("unknown_attribute_like_a_code", with(`"attributes":`+strings.Replace(good, "{", `{"123456":"10003",`, 1)), "/data/attributes"),
		unsound("relationships_twice", with(`"relationships":{},"relationships":{},"attributes":`+good), ""),
		unsound("attribute_in_capitals", with(`"attributes":`+strings.ToUpper(good)), "/data/attributes/"+capitals),
		unsound("attribute_twice", with(`"attributes":`+strings.Replace(good, "{", good[:len(good)-1]+",", 1)), ""),
		unsound("attribute_twice_by_case", with(`"attributes":`+strings.Replace(good, "{", strings.ToUpper(good[:len(good)-1])+",", 1)), "/data/attributes/"+capitals),
		unsound("no_type", raw(`{"data":{"attributes":`+good+`}}`), "/data/type"),
		unsound("wrong_type", raw(`{"data":{"type":"customer","attributes":`+good+`}}`), "/data/type"),
		unsound("type_in_capitals", raw(`{"data":{"type":"`+strings.ToUpper(typ)+`","attributes":`+good+`}}`), "/data/type"),
		unsound("type_number", raw(`{"data":{"type":1,"attributes":`+good+`}}`), "/data/type"),
		notActive("garbage", post(path, body, apiType, bearer("made-up-0123456789"))),
		notActive("garbage_of_our_form", post(path, body, apiType, bearer("gt_sandbox_"+strings.Repeat("a", 43)))),
		notActive("secret", post(path, body, apiType, bearer(client.ClientSecret))),
	}
	for name, headers := range map[string][]string{
		"none": {}, "basic": {basic(client)}, "empty": {"Authorization: Bearer"}, "blank": {"Authorization: Bearer "}, "two": {auth, auth}, "two_in_one": {auth + ", " + token}, "other_scheme": {"Authorization: Token " + token},
	} {
		rows = append(rows, row{name: "bearer_" + name, call: post(path, body, append([]string{apiType}, headers...)...), status: 401, code: "invalid_token", also: func(t *testing.T, r harness.Response) {
			if got := r.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="grantd"`) {
				t.Errorf("WWW-Authenticate: %s", got)
			}
		}})
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		rows = append(rows, row{name: method, call: call{method: method, target: path, headers: []string{auth}}, status: 405, code: badRequest, header: map[string]string{"Allow": "POST"}})
	}
	return rows
}

// Invalid requests for a code send none.
func TestVerificationInput(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	auth := bearer(b.token)
	at := func(name, attributes, attribute string) row {
		return unsound(name, askCode(peter, attributes, auth), "/data/attributes/"+attribute)
	}
	business := func(name, phone string) row {
		return unsound("phone_"+name, askCode(daily, `{"channel":"sms","phone":`+phone+`}`, auth), "/data/attributes/phone")
	}
	rows := []row{
		at("channel_missing", `{}`, "channel"), at("channel_null", `{"channel":null}`, "channel"), at("channel_empty", `{"channel":""}`, "channel"),
		at("channel_unknown", `{"channel":"email"}`, "channel"), at("channel_in_capitals", `{"channel":"SMS"}`, "channel"), at("channel_number", `{"channel":1}`, "channel"), at("channel_list", `{"channel":["sms"]}`, "channel"),
		at("language_unknown", `{"channel":"sms","language":"xx"}`, "language"), at("language_empty", `{"channel":"sms","language":""}`, "language"),
		at("language_region", `{"channel":"sms","language":"en-US"}`, "language"), at("language_in_capitals", `{"channel":"sms","language":"FR"}`, "language"),
		at("language_region_in_small_letters", `{"channel":"sms","language":"pt-br"}`, "language"), at("language_name", `{"channel":"sms","language":"French"}`, "language"), at("language_underscore", `{"channel":"sms","language":"pt_BR"}`, "language"),
		at("language_list", `{"channel":"sms","language":["fr"]}`, "language"), at("language_number", `{"channel":"sms","language":1}`, "language"),
		at("appHash_short", `{"channel":"sms","appHash":"FA+9qCX9VS"}`, "appHash"), at("appHash_long", `{"channel":"sms","appHash":"FA+9qCX9VSuu"}`, "appHash"), at("appHash_empty", `{"channel":"sms","appHash":""}`, "appHash"),
		at("appHash_alphabet", `{"channel":"sms","appHash":"FA+9qCX9VS-"}`, "appHash"), at("appHash_line", `{"channel":"sms","appHash":"FA+9qCX9VS\n"}`, "appHash"), at("appHash_blank", `{"channel":"sms","appHash":"FA 9qCX9VSu"}`, "appHash"),
		at("appHash_of_more_bytes", `{"channel":"sms","appHash":"ääääää"}`, "appHash"), at("appHash_call", `{"channel":"call","appHash":"FA+9qCX9VSu"}`, "appHash"), at("appHash_number", `{"channel":"sms","appHash":12345678901}`, "appHash"),
		at("phone_of_an_individual", `{"channel":"sms","phone":{"countryCode":"1","number":"5555550111"}}`, "phone"),
		at("phone_of_an_individual_even_its_own", `{"channel":"sms","phone":{"countryCode":"1","number":"`+petersPhone+`"}}`, "phone"),
		business("not_on_file", `{"countryCode":"1","number":"5555550199"}`), business("of_the_business", `{"countryCode":"1","number":"5555550110"}`),
		business("text", `"+15555550111"`), business("list", `[{"countryCode":"1","number":"5555550111"}]`), business("empty", `{}`),
		business("no_country", `{"number":"5555550111"}`), business("no_number", `{"countryCode":"1"}`), business("numbers", `{"countryCode":1,"number":5555550111}`),
		business("words", `{"countryCode":"one","number":"5555550111"}`), business("whole_in_number", `{"countryCode":"1","number":"+15555550111"}`), business("too_short", `{"countryCode":"1","number":"555"}`),
		business("two", `{"countryCode":"1","number":"5555550111/5555550199"}`), business("full_width", `{"countryCode":"1","number":"`+fullWidth("5555550111")+`"}`), business("more", `{"countryCode":"1","number":"5555550111","type":"mobile"}`),
		lacking("scope", askCode(peter, `{"channel":"sms"}`, bearer(b.world.token(t, b.backend, "cards customer-token-write"))), "customers", ""),
	}
	rows = append(rows, b.absentees(t, func(customer string, headers ...string) call {
		return askCode(customer, `{"channel":"sms"}`, headers...)
	})...)
	b.run(t, rows)
	if got := len(b.phone.texts()); got != 0 {
		t.Errorf("%d codes were sent", got)
	}
}

// absentees makes rows of customers for which the bearer must not act, and of
// bearers that must be refused.
func (b *bank) absentees(t *testing.T, ask func(customer string, headers ...string) call) []row {
	t.Helper()
	auth := bearer(b.token)
	of := func(edit func(*store.Token)) string {
		return b.planted(t, func(r *store.Token) {
			r.OrgID, r.Scopes = acme, bankScope
			edit(r)
		})
	}
	own := func(edit func(*store.Token)) string {
		return of(func(r *store.Token) {
			r.Use, r.CustomerID = store.UseCustomer, peter
			if edit != nil {
				edit(r)
			}
		})
	}
	life := int64(60)
	expired := b.world.token(t, b.client(t, "short", bankScope, func(s *clients.NewSpec) { s.OrgID, s.TokenTTL = acme, &life }), "")
	b.Clock.Add(time.Minute)
	revoked := b.world.token(t, b.backend, "")
	done("", call{}).check(t, b.send(t, revoke(revoked, basic(b.backend))))
	rows := []row{
		unknown("customer_unknown", ask(nobody, auth)), unknown("customer_of_another_org", ask(foreign, auth)), unknown("customer_deactivated", ask(gone, auth)),
		unknown("customer_of_a_client_without_an_org", ask(peter, bearer(b.planted(t, func(r *store.Token) { r.Scopes = bankScope })))),
		unknown("customer_of_an_unknown_org", ask(peter, bearer(of(func(r *store.Token) { r.OrgID = "nowhere" })))),
		unknown("another_customer_by_a_customer", ask(ana, bearer(own(nil)))),
		notActive("partner", ask(peter, bearer(of(func(r *store.Token) { r.Use, r.PartnerID = store.UsePartner, "p1" })))),
		notActive("on_behalf", ask(peter, bearer(of(func(r *store.Token) { r.Use, r.PartnerID = store.UseOnBehalf, "p1" })))),
		notActive("expired", ask(peter, bearer(expired))),
		notActive("revoked", ask(peter, bearer(revoked))),
		notActive("for_other_servers", ask(peter, bearer(of(func(r *store.Token) { r.Audience = []string{"https://api.example.com"} })))),
		notActive("for_some_addresses", ask(peter, bearer(own(func(r *store.Token) { r.SourceIPs = []string{"192.0.2.1/32"} })))),
		notActive("for_some_endpoints", ask(peter, bearer(own(func(r *store.Token) { r.Endpoints = []string{"GET /cards"} })))),
	}
	for i, id := range []string{strings.Repeat("1", 200), "10001%20", "%00", "%0a", "10001:x", "%ff", "{10001}", "..%5c10001", "~", "10001%3ftoken"} {
		rows = append(rows, unknown(fmt.Sprint("customer_id_", i), ask(id, auth)))
	}
	return rows
}

// Invalid requests for a customer token.
func TestCustomerTokenInput(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	auth := bearer(b.token)
	less := bearer(b.world.token(t, b.backend, "cards customers customer-token-write"))
	restricted := bearer(b.issue(t, b.token, peter, `{"scope":"cards customers customer-token-write","resources":[{"type":"card","ids":["12","13"]}]}`))
	at := func(name, attributes, attribute string) row {
		return unsound(name, askToken(peter, attributes, auth), "/data/attributes/"+attribute)
	}
	scope := func(name, attributes, attribute string) row {
		return row{name: name, call: askToken(peter, attributes, auth), status: 400, code: badScope, pointer: "/data/attributes/" + attribute}
	}
	life := func(name, value string) row {
		return at("customer_lifetime/"+name, `{"scope":"cards","expiresIn":`+value+`}`, "expiresIn")
	}
	long := "" // 17 ids of 128 characters, each valid
	for i := range 17 {
		long += fmt.Sprintf(`,"%0128d"`, i)
	}
	resources := func(name, value string) row {
		return at("resources_"+name, `{"scope":"cards","resources":`+value+`}`, "resources")
	}
	ids := `"` + strings.Repeat(`1","`, 256) + `1"`
	types := ""
	for i := range 17 {
		types += fmt.Sprintf(`,{"type":"t%d","ids":["1"]}`, i)
	}
	rows := []row{
		at("scope_missing", `{}`, "scope"), at("scope_null", `{"scope":null}`, "scope"), at("scope_list", `{"scope":["cards"]}`, "scope"), at("scope_number", `{"scope":1}`, "scope"),
		scope("scope_empty", `{"scope":""}`, "scope"), scope("scope_blank", `{"scope":" "}`, "scope"), scope("scope_unknown", `{"scope":"cards gold"}`, "scope"), scope("scope_in_capitals", `{"scope":"Cards"}`, "scope"),
		scope("scope_by_comma", `{"scope":"cards,accounts"}`, "scope"), scope("scope_by_tab", `{"scope":"cards\taccounts"}`, "scope"), scope("scope_quoted", `{"scope":"\"cards\""}`, "scope"),
		scope("scope_introspect", `{"scope":"cards introspect"}`, "scope"), scope("scope_admin", `{"scope":"admin:write"}`, "scope"),
		lacking("scope_not_held", askToken(peter, `{"scope":"cards payments accounts"}`, less), "payments accounts", "/data/attributes/scope"),
		lacking("scope_not_held_sensitive", askToken(peter, `{"scope":"cards-write"}`, less), "cards-write", "/data/attributes/scope"),
		lacking("upgradable_not_held", askToken(peter, `{"scope":"cards","upgradableScope":"cards-write"}`, less), "cards-write", "/data/attributes/upgradableScope"),
		lacking("no_right_to_make_tokens", askToken(peter, `{"scope":"cards"}`, bearer(b.world.token(t, b.backend, "cards customers"))), "customer-token-write", ""),
		scope("upgradable_unknown", `{"scope":"cards","upgradableScope":"gold"}`, "upgradableScope"), scope("upgradable_empty", `{"scope":"cards","upgradableScope":""}`, "upgradableScope"),
		scope("upgradable_admin", `{"scope":"cards","upgradableScope":"admin:read"}`, "upgradableScope"), at("upgradable_list", `{"scope":"cards","upgradableScope":[]}`, "upgradableScope"),
		scope("upgradable_to_make_tokens", `{"scope":"cards","upgradableScope":"cards-write customer-token-write"}`, "upgradableScope"),
		at("only_a_token", `{"scope":"cards","verificationToken":"x"}`, "verificationToken"), at("only_a_code", `{"scope":"cards","verificationCode":"000000"}`, "verificationToken"),
		at("only_a_token_where_needed", `{"scope":"cards-write","verificationToken":"x","verificationCode":null}`, "verificationToken"),
		at("token_number", `{"scope":"cards","verificationToken":1,"verificationCode":"000000"}`, "verificationToken"), at("code_number", `{"scope":"cards","verificationToken":"x","verificationCode":123456}`, "verificationCode"),
		life("zero", "0"), life("negative", "-1"), life("a_day_and_a_second", "86401"), life("huge", "9223372036854775807"), life("huger", "9223372036854775808"), life("text", `"300"`), life("fraction", "300.5"), life("point_zero", "300.0"),
		life("exponent", "3e2"), life("list", "[300]"), life("true", "true"), life("minus_zero", "-0"),
		resources("empty", `[]`), resources("object", `{"type":"card","ids":["12"]}`), resources("text", `"card"`), resources("of_null", `[null]`), resources("of_texts", `["12"]`), resources("without_a_type", `[{"ids":["12"]}]`),
		resources("empty_type", `[{"type":"","ids":["12"]}]`), resources("without_ids", `[{"type":"card"}]`), resources("null_ids", `[{"type":"card","ids":null}]`), resources("no_ids", `[{"type":"card","ids":[]}]`),
		resources("ids_text", `[{"type":"card","ids":"12"}]`), resources("ids_numbers", `[{"type":"card","ids":[12]}]`), resources("id_empty", `[{"type":"card","ids":[""]}]`), resources("id_blank", `[{"type":"card","ids":["1 2"]}]`),
		resources("id_wildcard", `[{"type":"card","ids":["*"]}]`), resources("id_long", `[{"type":"card","ids":["`+strings.Repeat("1", 129)+`"]}]`), resources("same_type_twice", `[{"type":"card","ids":["12"]},{"type":"card","ids":["13"]}]`),
		resources("with_more", `[{"type":"card","ids":["12"],"not":["13"]}]`), resources("257_ids", `[{"type":"card","ids":[`+ids+`]}]`), resources("17_types", `[`+types[1:]+`]`),
		resources("too_long_together", `[{"type":"card","ids":[`+strings.TrimPrefix(long, ",")+`]}]`),
		unsound("resources_wider", askToken(peter, `{"scope":"cards","resources":[{"type":"card","ids":["12","14"]}]}`, restricted), "/data/attributes/resources"),
		unsound("resources_of_another_type", askToken(peter, `{"scope":"cards","resources":[{"type":"account","ids":["12"]}]}`, restricted), "/data/attributes/resources"),
		unsound("resources_of_another_type_too", askToken(peter, `{"scope":"cards","resources":[{"type":"card","ids":["12"]},{"type":"account","ids":["1"]}]}`, restricted), "/data/attributes/resources"),
	}
	rows = append(rows, b.absentees(t, func(customer string, headers ...string) call {
		return askToken(customer, `{"scope":"cards"}`, headers...)
	})...)
	b.run(t, rows)
	for name, seconds := range map[string]int{"customer_lifetime/least": 1, "customer_lifetime/most": 86400} {
		t.Run(name, func(t *testing.T) {
			r := b.send(t, askToken(peter, fmt.Sprintf(`{"scope":"cards","expiresIn":%d}`, seconds), auth))
			made("", call{}).check(t, r)
			if !strings.Contains(r.Body, fmt.Sprintf(`"expiresIn":%d}`, seconds)) {
				t.Error(r.Body)
			}
			token := attribute(t, r, "token")
			b.Clock.Add(time.Duration(seconds) * time.Second)
			defer b.Clock.Add(-time.Duration(seconds) * time.Second)
			if b.introspect(t, b.api, token) {
				t.Error("active after its lifetime")
			}
		})
	}
}

// The order of checks: the document, then the bearer, its right, and the
// customer. A caller without the right learns nothing about customers.
func TestCustomerPrecedence(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	few := bearer(b.world.token(t, b.backend, "cards"))
	b.run(t, []row{
		unsound("document_before_bearer", post("/customers/"+peter+"/token", "{}", apiType), ""),
		{name: "media_type_before_bearer", call: post("/customers/"+peter+"/token", "{}"), status: 415, code: badRequest},
		notActive("bearer_before_customer", askToken(nobody, `{"scope":"cards"}`, bearer("made-up-0123456789"))),
		lacking("right_before_customer", askToken(nobody, `{"scope":"cards"}`, few), "customer-token-write", ""),
		lacking("right_before_customer_of_another_org", askToken(foreign, `{"scope":"cards"}`, few), "customer-token-write", ""),
		lacking("right_before_scope", askToken(peter, `{"scope":"gold"}`, few), "customer-token-write", ""),
		unknown("customer_before_scope", askToken(nobody, `{"scope":"gold"}`, bearer(b.token))),
		unknown("customer_before_phone", askCode(foreign, `{"channel":"email"}`, bearer(b.token))),
		{name: "no_customer", call: askToken("", `{"scope":"cards"}`, bearer(b.token)), status: 404, code: "not_found"},
		{name: "slash_in_the_id", call: askToken("10001%2ftoken", `{"scope":"cards"}`, bearer(b.token)), status: 404, code: "not_found"},
		{name: "slash_at_the_end", call: document("/customers/"+peter+"/token/", "customerToken", `{"scope":"cards"}`, bearer(b.token)), status: 404, code: "not_found"},
		{name: "dots", call: document("/customers/"+foreign+"/../"+peter+"/token", "customerToken", `{"scope":"cards"}`, bearer(b.token)), status: 404, code: "not_found"},
	})
	if got := url.PathEscape(acme); got != acme {
		t.Errorf("acme needs escaping, which this package does not do: %s", got)
	}
}

// A client token for another audience makes no customer tokens.
func TestBearerForThisServer(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	c := b.client(t, "apart", bankScope, of(acme), func(s *clients.NewSpec) { s.Resources = &[]string{"https://cards.example.com"} })
	b.run(t, []row{notActive("audience", askToken(peter, `{"scope":"cards"}`, bearer(b.world.token(t, c, ""))))})
}
