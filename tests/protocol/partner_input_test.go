package protocol_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// The rules for every endpoint that reads documents.
func TestOnBehalfDocuments(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	good := onBehalfOf(sharedTwo, "cards")
	a.run(t, a.documents("/partners/token", "createOnBehalfToken", good, a.token, a.app))
	a.run(t, []row{
		made("good", askOnBehalf(good, bearer(a.token))),
		made("good_in_other_words", post("/partners/token", ` {"meta":{"a":1},"jsonapi":{"version":"1.1"},"data":{"attributes":`+good+`, "type":"createOnBehalfToken"}}`, apiType, bearer(a.token))),
		made("allowed_members", post("/partners/token", `{"@x":1,"links":{},"included":[],"data":{"@x":1,"lid":"1","links":{},"meta":{},"relationships":{},"attributes":{"@x":1,`+good[1:]+`, "type":"createOnBehalfToken"}}`, apiType, bearer(a.token))),
		made("nulls_are_absent", askOnBehalf(onBehalfOf(sharedTwo, "cards", `,"sourceIp":null,"expiresIn":null`), bearer(a.token))),
	})
	t.Run("response", func(t *testing.T) {
		r := a.send(t, askOnBehalf(onBehalfOf(sharedTwo, "customers cards"), bearer(a.token)))
		if want := `{"data":{"type":"onBehalfToken","attributes":{"token":"` + attribute(t, r, "token") + `","expiresIn":86400}}}`; r.Body != want {
			t.Errorf("%s, want %s", r.Body, want)
		}
	})
}

// Invalid requests for an on-behalf token.
func TestOnBehalfInput(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	auth := bearer(a.token)
	at := func(name, attributes, attribute string) row {
		return unsound(name, askOnBehalf(attributes, auth), "/data/attributes/"+attribute)
	}
	scopes := func(name, value string) row {
		return at("scopes_"+name, `{"orgId":"`+sharedTwo+`","scopes":`+value+`}`, "scopes")
	}
	life := func(name, value string) row {
		return at("life_"+name, onBehalfOf(sharedTwo, "cards", `,"expiresIn":`+value), "expiresIn")
	}
	a.run(t, []row{
		at("org_missing", `{"scopes":"cards"}`, "orgId"), at("org_null", `{"orgId":null,"scopes":"cards"}`, "orgId"),
		at("org_number", `{"orgId":1,"scopes":"cards"}`, "orgId"), at("org_list", `{"orgId":["`+sharedTwo+`"],"scopes":"cards"}`, "orgId"),
		at("org_object", `{"orgId":{"id":"`+sharedTwo+`"},"scopes":"cards"}`, "orgId"),
		at("scopes_missing", `{"orgId":"`+sharedTwo+`"}`, "scopes"),
		scopes("null", `null`), scopes("empty", `""`), scopes("list", `["cards"]`), scopes("number", `1`), scopes("true", `true`),
		scopes("blank", `" "`), scopes("two_blanks", `"cards  customers"`), scopes("blank_before", `" cards"`), scopes("blank_after", `"cards "`), scopes("by_tab", `"cards\tcustomers"`),
		scopes("by_line", `"cards\ncustomers"`), scopes("quoted", `"\"cards\""`), scopes("backslash", `"cards\\"`), scopes("not_ASCII", `"cärds"`), scopes("NUL", `"cards\u0000"`), scopes("too_long", `"`+strings.Repeat("a", 3000)+`"`),
		scopes("too_many", `"`+strings.TrimSpace(strings.Repeat("a ", 65))+`"`),
		life("zero", "0"), life("negative", "-1"), life("a_day_and_a_second", "86401"), life("huge", "9223372036854775807"), life("huger", "9223372036854775808"), life("text", `"60"`),
		life("fraction", "1.5"), life("point_zero", "60.0"), life("exponent", "6e1"), life("list", "[60]"), life("true", "true"), life("minus_zero", "-0"),
		unsound("scope_for_scopes", askOnBehalf(`{"orgId":"`+sharedTwo+`","scope":"cards"}`, auth), "/data/attributes/scope"),
		unsound("source_ip_for_sourceIp", askOnBehalf(onBehalfOf(sharedTwo, "cards", `,"source_ip":"192.0.2.1"`), auth), "/data/attributes/source_ip"),
		unsound("sourceIP_for_sourceIp", askOnBehalf(onBehalfOf(sharedTwo, "cards", `,"sourceIP":"192.0.2.1"`), auth), "/data/attributes/sourceIP"),
		unsound("expires_in_for_expiresIn", askOnBehalf(onBehalfOf(sharedTwo, "cards", `,"expires_in":60`), auth), "/data/attributes/expires_in"),
		unsound("endpoints", askOnBehalf(onBehalfOf(sharedTwo, "cards", `,"endpoints":["GET /cards"]`), auth), "/data/attributes/endpoints"),
		unsound("resources", askOnBehalf(onBehalfOf(sharedTwo, "cards", `,"resources":[]`), auth), "/data/attributes/resources"),
		unsound("a_customers_document", document("/partners/token", "customerToken", onBehalfOf(sharedTwo, "cards"), auth), "/data/type"),
		unsound("type_of_the_response", document("/partners/token", "onBehalfToken", onBehalfOf(sharedTwo, "cards"), auth), "/data/type"),
	})
	for name, seconds := range map[string]int{"life_least": 1, "life_most": 86400} {
		t.Run(name, func(t *testing.T) {
			ask := askOnBehalf(onBehalfOf(sharedTwo, "cards", fmt.Sprintf(`,"expiresIn":%d`, seconds)), auth)
			var token string
			for try := 0; ; try++ {
				began := time.Now()
				r := a.send(t, ask)
				if seconds == 1 && r.Status == 403 && try < 20 { // it ended while it was made: the second was nearly over
					continue
				}
				made("", call{}).check(t, r)
				if got := number(t, r, "expiresIn"); got != float64(seconds) {
					t.Errorf("expiresIn %v", got)
				}
				token = attribute(t, r, "token")
				if a.introspect(t, a.api, token) {
					break
				}
				if time.Since(began) < time.Duration(seconds-1)*time.Second || try == 20 { // lifetimes end with a whole second
					t.Fatal("inactive")
				}
			}
			a.Clock.Add(time.Duration(seconds) * time.Second)
			if a.introspect(t, a.api, token) {
				t.Error("active after its lifetime")
			}
		})
	}
}

// Partners only read, and only what the org granted.
func TestOnBehalfScopes(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	auth := bearer(a.token)
	refusedScope := func(name, scope, not string) row {
		return lacking(name, askOnBehalf(onBehalfOf(sharedTwo, scope), auth), not, "/data/attributes/scopes")
	}
	rows := []row{
		refusedScope("partners_only_read/write", "cards-write", "cards-write"),
		refusedScope("partners_only_read/write_besides_what_is_granted", "cards cards-write customers", "cards-write"),
		refusedScope("partners_only_read/customer_tokens", "customer-token-write", "customer-token-write"),
		refusedScope("partners_only_read/sensitive", "cards-sensitive", "cards-sensitive"),
		refusedScope("partners_only_read/webhooks", "webhooks", "webhooks"),
		refusedScope("partners_only_read/partners", "partners", "partners"),
		refusedScope("partners_only_read/introspect", "introspect", "introspect"),
		refusedScope("partners_only_read/admin_read", "admin:read", "admin:read"),
		refusedScope("partners_only_read/admin_write", "admin:write", "admin:write"),
		refusedScope("partners_only_read/unknown", "gold", "gold"),
		refusedScope("partners_only_read/in_capitals", "Cards", "Cards"),
		refusedScope("partners_only_read/wildcard", "*", "*"),
		refusedScope("partners_only_read/not_granted_by_this_org", "payments", "payments"),
		refusedScope("partners_only_read/granted_by_another_org", "accounts cards", "accounts"),
		refusedScope("partners_only_read/several", "customers payments cards-write", "payments cards-write"),
		made("partners_only_read/all_that_was_granted", askOnBehalf(onBehalfOf(sharedTwo, grantedTwo), auth)),
	}
	a.run(t, rows)
	t.Run("partners_only_read/only_what_was_asked_for", func(t *testing.T) {
		for asked, want := range map[string]string{"cards": "cards", "transactions cards": "transactions cards", "cards cards": "cards"} {
			if got := a.shown(t, a.api, a.onBehalf(t, a.token, sharedTwo, asked))["scope"]; got != want {
				t.Errorf("asked for %q: %v", asked, got)
			}
		}
	})
	// Scopes that operators cannot grant in the first place.
	for name, scope := range map[string]string{
		"partners_only_read/no_grant_to_write": "cards cards-write", "partners_only_read/no_grant_of_a_sensitive_scope": "cards-sensitive", "partners_only_read/no_grant_of_webhooks": "webhooks",
		"partners_only_read/no_grant_of_partners": "partners", "partners_only_read/no_grant_of_introspect": "introspect", "partners_only_read/no_grant_of_admin": "admin:read",
		"partners_only_read/no_grant_of_an_unknown_scope": "gold", "partners_only_read/no_grant_of_nothing": "",
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/partners/" + hurdlr, "/partners/" + hurdlr + "/orgs/" + sharedTwo} {
				if r := a.AdminDo(t, "PUT", path, map[string]any{"name": "Hurdlr", "scope": scope}); r.Status != 400 {
					t.Errorf("%s: %d %s", path, r.Status, r.Body)
				}
			}
		})
	}
	t.Run("partners_only_read/no_grant_beyond_the_partners_scopes", func(t *testing.T) {
		a.admin(t, "PUT", "/partners/kard", map[string]any{"name": "Kard", "scope": "cards"})
		if r := a.AdminDo(t, "PUT", "/partners/kard/orgs/"+sharedTwo, map[string]any{"scope": "cards customers"}); r.Status != 400 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// An unknown org gets the same response as an org that has not agreed.
func TestOnBehalfOrgs(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	var rows []row
	for why, org := range a.refusedOrgs(t) {
		rows = append(rows, notAgreed("org_"+why, askOnBehalf(onBehalfOf(org, "cards"), bearer(a.token))),
			notAgreed("org_before_scope_"+why, askOnBehalf(onBehalfOf(org, "cards-write gold"), bearer(a.token))))
	}
	rows = append(rows, notAgreed("org_in_capitals", askOnBehalf(onBehalfOf(strings.ToUpper(sharedTwo), "cards"), bearer(a.token))),
		notAgreed("org_with_its_prefix", askOnBehalf(onBehalfOf("org:"+sharedTwo, "cards"), bearer(a.token))),
		notAgreed("org_NUL", askOnBehalf(onBehalfOf(sharedTwo+`\u0000`, "cards"), bearer(a.token))))
	a.run(t, rows)
}

// Every bearer that is not an active partner token gets the same response. The
// bearer is checked after the form of the request and before everything else.
func TestPartnerBearers(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	var rows []row
	for why, token := range a.badBearers(t) {
		rows = append(rows,
			notPartners("bearer_"+why, askOnBehalf(onBehalfOf(sharedTwo, "cards"), bearer(token))),
			notPartners("bearer_before_org_"+why, askOnBehalf(onBehalfOf(wayne, "gold", `,"expiresIn":0`), bearer(token))),
			notPartners("orgs_bearer_"+why, get("/partners/orgs", bearer(token))),
			notPartners("orgs_page_bearer_"+why, get("/partners/orgs?page%5Bsize%5D=1", bearer(token))))
	}
	none := func(name string, headers ...string) []row {
		var both []row
		for path, c := range map[string]call{"token": askOnBehalf(onBehalfOf(sharedTwo, "cards"), headers...), "orgs": get("/partners/orgs", headers...)} {
			both = append(both, row{name: path + "_" + name, call: c, status: 401, code: "invalid_token", header: map[string]string{"WWW-Authenticate": `Bearer realm="grantd"`},
				body: `{"errors":[{"status":"401","code":"invalid_token","title":"Unauthorized","detail":"this needs Authorization: Bearer with a partner token"}]}`})
		}
		return both
	}
	auth := bearer(a.token)
	for name, headers := range map[string][]string{
		"none": {}, "basic": {basic(a.app)}, "other_scheme": {"Authorization: Token " + a.token}, "no_scheme": {"Authorization: " + a.token}, "two": {auth, auth},
		"empty": {"Authorization: Bearer"}, "in_another_header": {"X-Authorization: Bearer " + a.token},
	} {
		rows = append(rows, none(name, headers...)...)
	}
	rows = append(rows,
		unsound("document_before_bearer", post("/partners/token", "{}", apiType), ""),
		row{name: "media_type_before_bearer", call: post("/partners/token", "{}"), status: 415, code: badRequest},
		unsound("page_before_bearer", get("/partners/orgs?x=1"), ""),
		made("scheme_in_lower_case", askOnBehalf(onBehalfOf(sharedTwo, "cards"), "authorization: bearer "+a.token)),
	)
	a.run(t, rows)
}

// Below /partners/ every error is a JSON:API document.
func TestPartnerPaths(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	auth := bearer(a.token)
	nothing := func(name, method, target string) row {
		return row{name: name, call: call{method: method, target: target, headers: []string{auth}}, status: 404, code: "not_found"}
	}
	rows := []row{
		nothing("nothing", "GET", "/partners/"), nothing("unknown", "GET", "/partners/x"), nothing("orgs_slash", "GET", "/partners/orgs/"), nothing("one_org", "GET", "/partners/orgs/"+sharedTwo),
		nothing("token_slash", "POST", "/partners/token/"), nothing("tokens", "POST", "/partners/tokens"), nothing("in_capitals", "GET", "/partners/Orgs"), nothing("two_slashes", "GET", "/partners//orgs"),
		nothing("dots", "GET", "/partners/x/../orgs"), nothing("encoded_slash", "GET", "/partners/%2forgs"), nothing("dot", "GET", "/partners/./orgs"), nothing("admin", "GET", "/partners/"+hurdlr+"/tokens"),
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		rows = append(rows, row{name: "orgs_" + method, call: call{method: method, target: "/partners/orgs", headers: []string{auth}}, status: 405, code: badRequest, header: map[string]string{"Allow": "GET, HEAD"}})
	}
	rows = append(rows, row{name: "orgs_HEAD", call: call{method: "HEAD", target: "/partners/orgs", headers: []string{auth}}, status: 200,
		header: map[string]string{"Content-Type": "application/vnd.api+json"}, also: func(t *testing.T, r harness.Response) {
			if r.Body != "" {
				t.Error("HEAD with a body")
			}
		}})
	a.run(t, rows)
}

// The list of orgs that a partner may act for, as PARTNER_GUIDE.md shows it.
func TestPartnerOrgs(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	a.grant(t, kard, wayne, grantedTwo)
	auth := bearer(a.token)
	both := `{"data":[{"type":"org","attributes":{"orgId":"h5D8B5gyHtk=","orgName":"Shared Client 2"}},{"type":"org","attributes":{"orgId":"ipF58vfdszo=","orgName":"Shared Client 1"}}]}`
	document := map[string]string{"Content-Type": "application/vnd.api+json"}
	a.run(t, []row{{name: "orgs", call: get("/partners/orgs", auth), status: 200, body: both, header: document}})
	a.refusedOrgs(t) // must not be listed
	a.run(t, []row{
		{name: "only_orgs_that_agreed", call: get("/partners/orgs", auth), status: 200, body: both, header: document},
		{name: "whole_page", call: get("/partners/orgs?page%5Bsize%5D=1000", auth), status: 200, body: both, header: document},
		{name: "page_not_encoded", call: get("/partners/orgs?page[size]=1000", auth), status: 200, body: both, header: document},
		{name: "after", call: get("/partners/orgs?page[after]="+sharedTwo, auth), status: 200, body: `{"data":[{"type":"org","attributes":{"orgId":"ipF58vfdszo=","orgName":"Shared Client 1"}}]}`, header: document},
		{name: "after_the_last", call: get("/partners/orgs?page[after]=zzz", auth), status: 200, body: `{"data":[]}`, header: document},
	})
	var rows []row
	for source, queries := range map[string][]string{
		"?page[size]":  {"page[size]=0", "page[size]=-1", "page[size]=1001", "page[size]=x", "page[size]=1.0", "page[size]=", "page[size]=99999999999999999999", "page[size]=1&page[size]=1"},
		"?page[after]": {"page[after]=a&page[after]=b", "page[after]=", "page[after]=no%20org", "page[after]=" + strings.Repeat("1", 129), "page[after]=a/b"},
		"":             {"page[number]=1", "page=1", "size=1", "limit=1", "scope=cards", "x", "%zz", "page[size]=%zz", "page[size]=1;page[after]=a", "page[size]=1&x=1"},
	} {
		for i, query := range queries {
			rows = append(rows, unsound(fmt.Sprint("page_", source, i), get("/partners/orgs?"+query, auth), source))
		}
	}
	for _, name := range []string{"access_token", "token", "subject_token", "client_secret"} {
		rows = append(rows, unsound("orgs_"+name+"_in_the_URL", get("/partners/orgs?"+name+"="+a.token), ""),
			unsound("token_"+name+"_in_the_URL", post("/partners/token?"+name+"="+a.token, `{"data":{"type":"createOnBehalfToken","attributes":`+onBehalfOf(sharedTwo, "cards")+`}}`, apiType), ""))
	}
	a.run(t, rows)
	t.Run("none", func(t *testing.T) {
		a.partner(t, "alone")
		token, _ := a.partnerToken(t, "alone", nil)
		row{status: 200, body: `{"data":[]}`}.check(t, a.send(t, get("/partners/orgs", bearer(token))))
	})
	t.Run("pages", func(t *testing.T) {
		a.partner(t, "paged")
		token, _ := a.partnerToken(t, "paged", nil)
		var want []string
		for i := range 7 {
			id := fmt.Sprintf("paged-%d=", i)
			a.org(t, id, "Org & Söhne <"+id+">")
			a.grant(t, "paged", id, "cards")
			if i%3 == 1 { // deactivated orgs leave holes in the pages
				a.admin(t, "POST", "/orgs/"+id+"/deactivate", nil)
				continue
			}
			want = append(want, id)
		}
		for size := 1; size <= 8; size++ {
			var got []string
			next := fmt.Sprintf("/partners/orgs?page[size]=%d", size)
			for pages := 0; next != ""; pages++ {
				if pages > 8 {
					t.Fatal("the pages do not end")
				}
				r := a.send(t, get(next, bearer(token)))
				if r.Status != http.StatusOK {
					t.Fatalf("%s: %d %s", next, r.Status, r.Body)
				}
				body := r.JSON(t)
				for _, d := range body["data"].([]any) {
					attributes := d.(map[string]any)["attributes"].(map[string]any)
					got = append(got, attributes["orgId"].(string))
					if attributes["orgName"] != "Org & Söhne <"+attributes["orgId"].(string)+">" {
						t.Errorf("orgName %v", attributes["orgName"])
					}
				}
				links, _ := body["links"].(map[string]any)
				next, _ = links["next"].(string)
			}
			if !equal(got, want) {
				t.Errorf("pages of %d: %v, want %v", size, got, want)
			}
		}
	})
}

// A partner that makes more tokens than its quota must wait; other partners need
// not.
func TestOnBehalfQuota(t *testing.T) {
	t.Parallel()
	a := newAlliance(t, func(c *config.Config) {
		c.Limits.OnBehalfTokensPerPartner.Count, c.Limits.OnBehalfTokensPerPartner.Per = 3, time.Minute
	})
	a.grant(t, kard, sharedTwo, "cards")
	second, _ := a.partnerToken(t, hurdlr, nil)
	others, _ := a.partnerToken(t, kard, nil)
	ask1, ask2 := askOnBehalf(onBehalfOf(sharedTwo, "cards"), bearer(a.token)), ask(trade(second, sharedOne))
	made("", call{}).check(t, a.send(t, ask1))
	granted("", call{}).check(t, a.send(t, ask2))
	// Refused requests do not count.
	notAgreed("", call{}).check(t, a.send(t, askOnBehalf(onBehalfOf(wayne, "cards"), bearer(a.token))))
	made("", call{}).check(t, a.send(t, ask1))
	told := a.store.Done("AddHits")
	a.run(t, []row{
		{name: "quota", call: ask1, status: 429, code: "too_many_requests"},
		{name: "quota_of_the_partner_not_of_the_token", call: ask2, status: 429, code: "too_many_requests"},
		made("quota_of_another_partner", askOnBehalf(onBehalfOf(sharedTwo, "cards"), bearer(others))),
		{name: "quota_is_not_for_the_list", call: get("/partners/orgs", bearer(a.token)), status: 200},
	})
	// A replica adds its count to the store from time to time. What it adds after
	// the minute counts for the next one.
	poll.AwaitTrue(t, poll.Patience, "the quota is shared", func() bool { return a.store.Done("AddHits") > told })
	a.Clock.Add(time.Minute)
	a.run(t, []row{made("quota_later", ask1)})
}
