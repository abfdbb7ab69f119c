package protocol_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

const badTarget = "invalid_target"

// The exchange of a partner token for an on-behalf token (RFC 8693).
func TestExchange(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	subject := "&subject_token=" + a.token
	const typ, audience = "&subject_token_type=" + accessToken, "&audience=org:" + sharedTwo
	noClient := func(name string, c call) row {
		return row{name: name, call: c, status: 401, code: badClient, says: "send no client credentials", header: map[string]string{"WWW-Authenticate": challengeBasic}}
	}
	whole := trade(a.token, sharedTwo)
	a.run(t, []row{
		granted("exchange", ask(whole)).withScope(grantedTwo),
		granted("exchange/alias", form("/token", whole)).withScope(grantedTwo),
		granted("exchange/scope", ask(whole+"&scope=cards")).withScope("cards"),
		granted("exchange/scope_in_the_order_that_was_asked", ask(whole+"&scope=transactions+cards+cards")).withScope("transactions cards"),
		granted("exchange/empty_parameters_are_absent", ask(whole+"&scope=&resource=&actor_token=&actor_token_type=&requested_token_type=&client_id=&client_secret=")).withScope(grantedTwo),
		granted("exchange/requested_token_type", ask(whole+"&requested_token_type="+accessToken)).withScope(grantedTwo),
		granted("exchange/unknown_parameters", ask(whole+"&foo=bar&foo=baz")).withScope(grantedTwo),
		granted("exchange/encoded", ask(strings.NewReplacer(":", "%3A", "=org", "%3Dorg").Replace(tokenExchange)+subject+"&subject_token_type="+url.QueryEscape(accessToken)+"&audience="+url.QueryEscape("org:"+sharedTwo))),
		granted("exchange/JSON", post("/oauth/token", `{"grant_type":"urn:ietf:params:oauth:grant-type:token-exchange","subject_token":"`+a.token+`","subject_token_type":"`+accessToken+`","audience":"org:`+sharedTwo+`","scope":"cards"}`, jsonType)).withScope("cards"),
		granted("exchange/client_id_is_not_a_credential", ask(whole+"&client_id=app")),

		refused("exchange_malformed/no_subject_token", ask(tokenExchange+typ+audience), "subject_token is missing"),
		refused("exchange_malformed/empty_subject_token", ask(tokenExchange+typ+audience+"&subject_token="), "subject_token is missing"),
		refused("exchange_malformed/no_type", ask(tokenExchange+subject+audience), "subject_token_type must be"),
		refused("exchange_malformed/type_of_another_kind", ask(tokenExchange+subject+audience+"&subject_token_type=urn:ietf:params:oauth:token-type:jwt"), "subject_token_type must be"),
		refused("exchange_malformed/type_by_its_short_name", ask(tokenExchange+subject+audience+"&subject_token_type=access_token"), "subject_token_type must be"),
		refused("exchange_malformed/type_in_capitals", ask(tokenExchange+subject+audience+"&subject_token_type="+strings.ToUpper(accessToken)), "subject_token_type must be"),
		refused("exchange_malformed/no_audience", ask(tokenExchange+subject+typ), "audience is missing"),
		refused("exchange_malformed/requested_token_type", ask(whole+"&requested_token_type=urn:ietf:params:oauth:token-type:refresh_token"), "requested_token_type must be"),
		refused("exchange_malformed/actor_token", ask(whole+"&actor_token=x&actor_token_type="+accessToken), "actor_token is not supported"),
		refused("exchange_malformed/actor_token_alone", ask(whole+"&actor_token=x"), "actor_token is not supported"),
		refused("exchange_malformed/actor_token_type_alone", ask(whole+"&actor_token_type="+accessToken), "actor_token is not supported"),
		refused("exchange_malformed/subject_token_twice", ask(whole+subject), "is repeated"),
		refused("exchange_malformed/type_twice", ask(whole+typ), "is repeated"),
		refused("exchange_malformed/scope_twice", ask(whole+"&scope=cards&scope=cards"), "is repeated"),
		refused("exchange_malformed/requested_token_type_twice", ask(whole+"&requested_token_type="+accessToken+"&requested_token_type="+accessToken), "is repeated"),
		refused("exchange_malformed/subject_token_in_the_URL", form("/oauth/token?subject_token="+a.token, tokenExchange+typ+audience), "in the URL"),
		refused("exchange_malformed/actor_token_in_the_URL", form("/oauth/token?actor_token=x", whole), "in the URL"),
		refused("exchange_malformed/JSON_list_of_audiences", post("/oauth/token", `{"grant_type":"urn:ietf:params:oauth:grant-type:token-exchange","subject_token":"`+a.token+`","subject_token_type":"`+accessToken+`","audience":["org:`+sharedTwo+`"]}`, jsonType), "values are strings"),
		{name: "exchange_malformed/grant_type_in_capitals", call: ask(strings.Replace(whole, "urn:", "URN:", 1)), status: 400, code: badGrant},
		{name: "exchange_malformed/grant_type_by_its_short_name", call: ask(strings.Replace(whole, "urn:ietf:params:oauth:grant-type:", "", 1)), status: 400, code: badGrant},

		noClient("exchange_malformed/basic", ask(whole, basic(a.app))),
		noClient("exchange_malformed/basic_wrong", ask(whole, basicOf("app", wrong))),
		noClient("exchange_malformed/post", ask(whole+credentials(a.app))),
		noClient("exchange_malformed/assertion", ask(whole+"&client_assertion=x&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer")),
		noClient("exchange_malformed/bearer", ask(whole, bearer(a.token))),
		noClient("exchange_malformed/two_authorizations", ask(whole, bearer(a.token), basic(a.app))),
	})
	t.Run("exchange/members", func(t *testing.T) {
		r := a.send(t, ask(whole+"&scope=cards"))
		body := r.JSON(t)
		life, _ := body["expires_in"].(float64)
		if body["issued_token_type"] != accessToken || body["token_type"] != "Bearer" || life != 86400 || body["scope"] != "cards" || body["created_at"] == nil || len(body) != 6 {
			t.Errorf("%s", r.Body)
		}
	})
	t.Run("exchange/introspection", func(t *testing.T) {
		r := a.send(t, ask(whole+"&scope=cards"))
		got := a.shown(t, a.api, r.JSON(t)["access_token"].(string))
		for name, want := range map[string]any{
			"active": true, "token_use": "on_behalf", "sub": "org:" + sharedTwo, "org_id": sharedTwo, "partner_id": hurdlr, "scope": "cards",
			"act": map[string]any{"sub": "partner:" + hurdlr}, "token_type": "Bearer", "iss": a.URL,
			"client_id": nil, "customer_id": nil, "aud": nil, "source_ips": nil, "endpoints": nil, "resources": nil,
		} {
			if !equal(got[name], want) {
				t.Errorf("%s: %v, want %v", name, got[name], want)
			}
		}
		if exp, iat := got["exp"].(float64), got["iat"].(float64); exp-iat != 86400 {
			t.Errorf("the token lives for %v s", exp-iat)
		}
	})
	t.Run("exchange/endpoints_are_those_of_the_grant", func(t *testing.T) {
		a.grant(t, hurdlr, sharedOne, grantedOne, map[string]any{"endpoints": []string{"GET /accounts", "GET /accounts/{id}/transactions"}})
		token := a.send(t, ask(trade(a.token, sharedOne))).JSON(t)["access_token"].(string)
		if got := a.shown(t, a.api, token)["endpoints"]; !equal(got, []any{"GET /accounts", "GET /accounts/{id}/transactions"}) {
			t.Errorf("endpoints %v", got)
		}
	})
}

// An exchange is refused for scopes that the org did not grant, for other orgs,
// and with other subject tokens.
func TestExchangeRefused(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	orgs := a.refusedOrgs(t)
	bad := a.badBearers(t)
	scope := func(name, scope string) row {
		return row{name: name, call: ask(trade(a.token, sharedTwo, "&scope="+url.QueryEscape(scope))), status: 400, code: badScope}
	}
	target := func(name string, c call) row { return row{name: name, call: c, status: 400, code: badTarget} }
	rows := []row{
		scope("exchange_refused/not_granted", "payments"), scope("exchange_refused/granted_and_not", "cards payments"), scope("exchange_refused/granted_by_another_org", "accounts"),
		scope("exchange_refused/write", "cards-write"), scope("exchange_refused/sensitive", "cards-sensitive"), scope("exchange_refused/webhooks", "webhooks"), scope("exchange_refused/partners", "partners"),
		scope("exchange_refused/introspect", "introspect"), scope("exchange_refused/admin", "admin:read"), scope("exchange_refused/customer_tokens", "customer-token-write"), scope("exchange_refused/unknown", "gold"),
		scope("exchange_refused/malformed", "cards  customers"), scope("exchange_refused/quoted", `"cards"`), scope("exchange_refused/in_capitals", "Cards"), scope("exchange_refused/long", strings.Repeat("a", 3000)),
		target("exchange_refused/two_audiences", ask(trade(a.token, sharedTwo, "&audience=org:"+sharedOne))),
		target("exchange_refused/audience_twice", ask(trade(a.token, sharedTwo, "&audience=org:"+sharedTwo))),
		target("exchange_refused/resource", ask(trade(a.token, sharedTwo, "&resource="+cards))),
	}
	for why, org := range orgs {
		rows = append(rows, target("exchange_refused/org_"+why, ask(trade(a.token, org))))
	}
	for i, audience := range []string{sharedTwo, "ORG:" + sharedTwo, "org", "partner:" + hurdlr, "customer:10001", " org:" + sharedTwo, "org:" + sharedTwo + " ", "org:org:" + sharedTwo, "https://org/" + sharedTwo} {
		rows = append(rows, target(fmt.Sprint("exchange_refused/audience_", i), ask(strings.Replace(trade(a.token, sharedTwo), "audience="+url.QueryEscape("org:"+sharedTwo), "audience="+url.QueryEscape(audience), 1))))
	}
	const subject = "subject_token is not an active partner token"
	for why, token := range bad {
		rows = append(rows, refused("exchange_refused/subject_"+why, ask(trade(token, sharedTwo)), subject),
			refused("exchange_refused/subject_before_org_"+why, ask(trade(token, wayne, "&scope=gold")), subject))
	}
	a.run(t, append(rows, target("exchange_refused/org_before_scope", ask(trade(a.token, wayne, "&scope=payments")))))
}

// An on-behalf token does not outlive its partner token or its grant.
func TestOnBehalfLife(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	short, _ := a.partnerToken(t, hurdlr, map[string]any{"lifetime": "1h"})
	a.org(t, "soon", "Soon Over")
	a.grant(t, hurdlr, "soon", grantedTwo, a.until(2*time.Hour))
	life := func(token, org string, more ...string) (string, float64) {
		t.Helper()
		r := a.send(t, askOnBehalf(onBehalfOf(org, "cards", more...), bearer(token)))
		made("", call{}).check(t, r)
		return attribute(t, r, "token"), number(t, r, "expiresIn")
	}
	exchanged := func(token, org string) (string, float64) {
		t.Helper()
		r := a.send(t, ask(trade(token, org)))
		granted("", call{}).check(t, r)
		return r.JSON(t)["access_token"].(string), r.JSON(t)["expires_in"].(float64)
	}
	for _, c := range []struct {
		name     string
		got      float64
		from, to float64
	}{
		{"on_behalf_ends/a_day", second(life(a.token, sharedTwo)), 86400, 86400},
		{"on_behalf_ends/as_asked", second(life(a.token, sharedTwo, `,"expiresIn":60`)), 60, 60},
		{"on_behalf_ends/null_is_a_day", second(life(a.token, sharedTwo, `,"expiresIn":null`)), 86400, 86400},
		{"on_behalf_ends/one_second", second(life(a.token, sharedTwo, `,"expiresIn":1`)), 1, 1},
		{"on_behalf_ends/the_partner_tokens", second(life(short, sharedTwo)), 3590, 3600},
		{"on_behalf_ends/less_than_the_partner_tokens", second(life(short, sharedTwo, `,"expiresIn":3000`)), 3000, 3000},
		{"on_behalf_ends/the_grants", second(life(a.token, "soon")), 7190, 7200},
		{"on_behalf_ends/the_earlier_of_both", second(life(short, "soon", `,"expiresIn":86400`)), 3590, 3600},
		{"on_behalf_ends/exchanged", second(exchanged(a.token, sharedTwo)), 86400, 86400},
		{"on_behalf_ends/exchanged_the_partner_tokens", second(exchanged(short, sharedTwo)), 3590, 3600},
		{"on_behalf_ends/exchanged_the_grants", second(exchanged(a.token, "soon")), 7190, 7200},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.got < c.from || c.got > c.to {
				t.Errorf("%v s, want %v to %v", c.got, c.from, c.to)
			}
		})
	}
	t.Run("on_behalf_ends/with_either_of_both", func(t *testing.T) {
		byShort, _ := life(short, sharedTwo)
		bySoon, _ := exchanged(a.token, "soon")
		other, _ := life(a.token, sharedTwo)
		for _, step := range []struct {
			add                time.Duration
			short, soon, other bool
		}{{0, true, true, true}, {time.Hour + time.Second, false, true, true}, {time.Hour, false, false, true}, {22 * time.Hour, false, false, false}} {
			a.Clock.Add(step.add)
			if got := []bool{a.introspect(t, a.api, byShort), a.introspect(t, a.api, bySoon), a.introspect(t, a.api, other)}; !equal(got, []bool{step.short, step.soon, step.other}) {
				t.Errorf("after %v more: active %v", step.add, got)
			}
		}
		refused("", call{}, "").check(t, a.send(t, ask(trade(short, sharedTwo))))
		row{status: 400, code: badTarget}.check(t, a.send(t, ask(trade(a.token, "soon"))))
	})
}

func second[A, B any](_ A, b B) B { return b }

// An on-behalf token ends when the partner, the partner token, the grant or the
// org ends.
func TestOnBehalfTokensEnd(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	for i, c := range []struct {
		name string
		end  func(t *testing.T, partner, tokenID, token, org string)
		left string // those of token, sibling, neighbour, elsewhere that stay active
		// after is the status of a later request with token: 401, 403 or 201; 0
		// if it is not sent.
		after int
	}{
		{"on_behalf_ends/revoke_the_partner_token", func(t *testing.T, partner, id, _, _ string) {
			a.admin(t, "DELETE", "/partners/"+partner+"/tokens/"+id, nil)
		}, "sibling elsewhere", 401},
		{"on_behalf_ends/leak_of_the_partner_token", func(t *testing.T, _, _, token, _ string) {
			a.admin(t, "POST", "/leaks", map[string]string{"credential": token})
		}, "sibling elsewhere", 401},
		{"on_behalf_ends/revoke_the_presented_partner_token", func(t *testing.T, _, _, token, _ string) {
			a.admin(t, "POST", "/tokens/revoke", map[string]string{"token": token})
		}, "sibling elsewhere", 401},
		{"on_behalf_ends/revoke_all_of_the_partners", func(t *testing.T, partner, _, _, _ string) {
			a.admin(t, "DELETE", "/partners/"+partner+"/tokens", nil)
		}, "elsewhere", 401},
		{"on_behalf_ends/void_the_partner", func(t *testing.T, partner, _, _, _ string) {
			a.admin(t, "POST", "/partners/"+partner+"/void-tokens", nil)
		}, "elsewhere", 401},
		{"on_behalf_ends/deactivate_the_partner", func(t *testing.T, partner, _, _, _ string) {
			a.admin(t, "POST", "/partners/"+partner+"/deactivate", nil)
		}, "elsewhere", 401},
		{"on_behalf_ends/delete_the_partner", func(t *testing.T, partner, _, _, _ string) {
			a.admin(t, "DELETE", "/partners/"+partner, nil)
		}, "elsewhere", 401},
		{"on_behalf_ends/narrow_the_partner", func(t *testing.T, partner, _, _, _ string) {
			a.admin(t, "PUT", "/partners/"+partner, map[string]any{"name": "Less", "scope": "accounts"})
		}, "elsewhere", 0},
		{"on_behalf_ends/withdraw_the_grant", func(t *testing.T, partner, _, _, org string) {
			a.admin(t, "DELETE", "/partners/"+partner+"/orgs/"+org, nil)
		}, "neighbour elsewhere", 403},
		{"on_behalf_ends/narrow_the_grant", func(t *testing.T, partner, _, _, org string) { a.grant(t, partner, org, "customers") }, "neighbour elsewhere", 403},
		{"on_behalf_ends/narrow_the_endpoints", func(t *testing.T, partner, _, _, org string) {
			a.grant(t, partner, org, grantedTwo, map[string]any{"endpoints": []string{"GET /cards"}})
		}, "neighbour elsewhere", 201},
		{"on_behalf_ends/shorten_the_grant", func(t *testing.T, partner, _, _, org string) {
			a.grant(t, partner, org, grantedTwo, a.until(time.Hour))
		}, "neighbour elsewhere", 201},
		{"on_behalf_ends/widen_the_grant", func(t *testing.T, partner, _, _, org string) {
			a.grant(t, partner, org, grantedTwo+" accounts")
		}, "token sibling neighbour elsewhere", 201},
		{"on_behalf_ends/void_the_org", func(t *testing.T, _, _, _, org string) { a.admin(t, "POST", "/orgs/"+org+"/void-tokens", nil) }, "neighbour", 201},
		{"on_behalf_ends/deactivate_the_org", func(t *testing.T, _, _, _, org string) { a.admin(t, "POST", "/orgs/"+org+"/deactivate", nil) }, "neighbour", 403},
		{"on_behalf_ends/delete_the_org", func(t *testing.T, _, _, _, org string) { a.admin(t, "DELETE", "/orgs/"+org, nil) }, "neighbour", 403},
		{"on_behalf_ends/void_all", func(t *testing.T, _, _, _, _ string) { a.admin(t, "POST", "/tokens/void-all", nil) }, "", 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			partner, org := fmt.Sprint("partner", i), fmt.Sprint("org", i)
			a.org(t, org, "Org")
			a.partner(t, partner)
			a.grant(t, partner, org, grantedTwo)
			a.grant(t, partner, sharedOne, "cards")
			a.grant(t, kard, org, grantedTwo)
			token, id := a.partnerToken(t, partner, nil)
			second, _ := a.partnerToken(t, partner, nil)
			kards, _ := a.partnerToken(t, kard, nil)
			all := map[string]string{
				"token":     a.onBehalf(t, token, org, "cards"),
				"sibling":   a.onBehalf(t, second, org, "cards"),
				"neighbour": a.onBehalf(t, token, sharedOne, "cards"),
				"elsewhere": a.onBehalf(t, kards, org, "cards"),
			}
			active := func() (names string) {
				for _, name := range []string{"token", "sibling", "neighbour", "elsewhere"} {
					if a.introspect(t, a.api, all[name]) {
						names += " " + name
					}
				}
				return strings.TrimPrefix(names, " ")
			}
			if got := active(); got != "token sibling neighbour elsewhere" {
				t.Fatalf("before: active %s", got)
			}
			c.end(t, partner, id, token, org)
			if got := active(); got != c.left {
				t.Errorf("active %q, want %q", got, c.left)
			}
			if c.after != 0 {
				r := a.send(t, askOnBehalf(onBehalfOf(org, "cards"), bearer(token)))
				if r.Status != c.after {
					t.Errorf("request for a new token: %d %s, want %d", r.Status, r.Body, c.after)
				}
				if r.Status == 201 && !a.introspect(t, a.api, attribute(t, r, "token")) {
					t.Error("the new token is inactive")
				}
			}
		})
	}
}

// An on-behalf token ends too if what it depends on ends while it is being made.
func TestEndWhileAnOnBehalfTokenIsMade(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(a *alliance, t *testing.T){
		"on_behalf_ends/grant_withdrawn":     func(a *alliance, t *testing.T) { a.admin(t, "DELETE", "/partners/hurdlr/orgs/"+sharedTwo, nil) },
		"on_behalf_ends/grant_narrowed":      func(a *alliance, t *testing.T) { a.grant(t, hurdlr, sharedTwo, "customers") },
		"on_behalf_ends/partner_token_ended": func(a *alliance, t *testing.T) { a.admin(t, "DELETE", "/partners/hurdlr/tokens/"+a.id, nil) },
		"on_behalf_ends/partner_deactivated": func(a *alliance, t *testing.T) { a.admin(t, "POST", "/partners/hurdlr/deactivate", nil) },
		"on_behalf_ends/partner_deleted":     func(a *alliance, t *testing.T) { a.admin(t, "DELETE", "/partners/hurdlr", nil) },
		"on_behalf_ends/org_deactivated":     func(a *alliance, t *testing.T) { a.admin(t, "POST", "/orgs/"+sharedTwo+"/deactivate", nil) },
		"on_behalf_ends/org_voided":          func(a *alliance, t *testing.T) { a.admin(t, "POST", "/orgs/"+sharedTwo+"/void-tokens", nil) },
	} {
		for _, method := range []string{"GetPartnerToken", "GetPartner", "GetGrant", "GetOrg", "PutToken"} {
			t.Run(name+"_before_"+method, func(t *testing.T) {
				a := newAlliance(t)
				a.store.Hook(method, func() {
					a.store.Heal(method)
					end(a, t)
				})
				r := a.send(t, askOnBehalf(onBehalfOf(sharedTwo, "cards"), bearer(a.token)))
				if r.Status == 201 && a.introspect(t, a.api, attribute(t, r, "token")) {
					t.Error("the token is active")
				}
			})
		}
	}
}

// If the store fails, the response is 503 and never blames the partner.
func TestPartnersStoreUnavailable(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GetPartnerToken", "GetPartner", "GetGrant", "GetOrg", "PutToken", "ListGrants"} {
		t.Run("no_token_without_store/"+method, func(t *testing.T) {
			a := newAlliance(t)
			a.store.Fail(method, store.ErrUnavailable)
			made, exchange, orgs := a.send(t, askOnBehalf(onBehalfOf(sharedTwo, "cards"), bearer(a.token))), a.send(t, ask(trade(a.token, sharedTwo))), a.send(t, get("/partners/orgs", bearer(a.token)))
			a.store.Heal(method)
			if method != "ListGrants" {
				down("", call{}).check(t, made)
				down("", call{}).check(t, exchange)
			}
			if method != "PutToken" && method != "GetGrant" {
				down("", call{}).check(t, orgs)
			}
			for _, r := range []harness.Response{made, exchange} {
				if r.Status == 401 || r.Status == 403 {
					t.Errorf("%d %s", r.Status, r.Body)
				}
			}
		})
	}
}
