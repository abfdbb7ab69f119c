package protocol_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
)

// base makes the token that an app keeps: a code upgrades it to one that may
// write.
const base = `{"scope":"cards customers customer-token-write","upgradableScope":"cards-write"}`

// A token is upgraded only with a code of its customer, and only to its
// upgradable scope.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	token := b.issue(t, b.token, peter, base)
	auth := bearer(token)
	t.Run("upgrade/base_holds_nothing_sensitive", func(t *testing.T) {
		if got := b.shown(t, b.api, token); got["scope"] != "cards customers customer-token-write" || got["auth_time"] != nil || strings.Contains(fmt.Sprint(got), "cards-write") {
			t.Errorf("introspection says %v", got)
		}
	})
	needsCode := func(name, scope string) row {
		return row{name: name, call: askToken(peter, `{"scope":"`+scope+`"}`, auth), status: 403, code: "verification_required", pointer: "/data/attributes/scope", needs: scope}
	}
	b.run(t, []row{
		needsCode("upgrade/always_a_code", "cards-write"),
		needsCode("upgrade/for_what_it_holds_too", "cards"),
		needsCode("upgrade/for_the_right_to_ask_for_codes_too", "customers"),
		lacking("upgrade/not_beyond", askToken(peter, `{"scope":"cards payments-write"}`, auth), "payments-write", "/data/attributes/scope"),
		lacking("upgrade/never_to_make_tokens", askToken(peter, `{"scope":"cards customer-token-write"}`, auth), "customer-token-write", "/data/attributes/scope"),
		lacking("upgrade/never_upgradable_beyond", askToken(peter, `{"scope":"cards","upgradableScope":"payments-write"}`, auth), "payments-write", "/data/attributes/upgradableScope"),
		lacking("upgrade/never_upgradable_to_make_tokens", askToken(peter, `{"scope":"cards","upgradableScope":"customer-token-write"}`, auth), "customer-token-write", "/data/attributes/upgradableScope"),
		unknown("upgrade/another_customer", askToken(ana, `{"scope":"cards"}`, auth)),
		unknown("upgrade/code_for_another_customer", askCode(ana, `{"channel":"sms"}`, auth)),
		unknown("upgrade/customer_of_another_org", askToken(foreign, `{"scope":"cards"}`, auth)),
	})
	upgraded := b.issue(t, token, peter, verified("cards cards-write customers", b.verify(t, token, peter), `,"upgradableScope":"cards-write"`))
	t.Run("upgrade/upgraded", func(t *testing.T) {
		got := b.shown(t, b.api, upgraded)
		if got["scope"] != "cards cards-write customers" || got["client_id"] != "backend" || got["customer_id"] != peter || got["org_id"] != acme || !equal(got["amr"], []any{"otp"}) {
			t.Errorf("introspection says %v", got)
		}
	})
	t.Run("upgrade/a_code_that_the_backend_asked_for", func(t *testing.T) {
		b.issue(t, token, peter, verified("cards-write", b.verify(t, b.token, peter)))
	})
	b.run(t, []row{
		lacking("upgrade/upgraded_token_makes_no_tokens", askToken(peter, verified("cards", b.verify(t, upgraded, peter)), bearer(upgraded)), "customer-token-write", ""),
		lacking("upgrade/without_the_right_it_is_not_upgraded", askToken(peter, verified("cards-write", b.verify(t, b.token, peter)),
			bearer(b.issue(t, b.token, peter, `{"scope":"cards","upgradableScope":"cards-write"}`))), "customer-token-write", ""),
		lacking("upgrade/without_upgradable_scope_it_gets_none", askToken(peter, verified("cards-write", b.verify(t, b.token, peter)),
			bearer(b.issue(t, b.token, peter, `{"scope":"cards customer-token-write"}`))), "cards-write", "/data/attributes/scope"),
		lacking("upgrade/no_codes_without_the_scope", askCode(peter, `{"channel":"sms"}`, bearer(b.issue(t, b.token, peter, `{"scope":"cards customer-token-write"}`))), "customers", ""),
	})
	t.Run("upgrade/resources_stay", func(t *testing.T) {
		narrow := b.issue(t, b.token, peter, strings.Replace(base, "}", `,"resources":[{"type":"card","ids":["12","13"]}]}`, 1))
		for asked, want := range map[string]any{
			``: []any{map[string]any{"type": "card", "ids": []any{"12", "13"}}},
			`,"resources":[{"type":"card","ids":["13"]}]`: []any{map[string]any{"type": "card", "ids": []any{"13"}}},
		} {
			up := b.issue(t, narrow, peter, verified("cards-write", b.verify(t, narrow, peter), asked))
			if got := b.shown(t, b.strict, up)["resources"]; !equal(got, want) {
				t.Errorf("asked for %q: %v", asked, got)
			}
		}
		v := b.verify(t, narrow, peter)
		unsound("", call{}, "/data/attributes/resources").check(t, b.send(t, askToken(peter, verified("cards-write", v, `,"resources":[{"type":"card","ids":["14"]}]`), bearer(narrow))))
		b.issue(t, narrow, peter, verified("cards-write", v)) // the refused request did not use up the code
	})
}

// Resources restrict a token, and only resource servers that enforce them see
// it as active.
func TestResources(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	token := b.issue(t, b.token, peter, `{"scope":"cards","resources":[{"type":"card","ids":["12","13"]},{"type":"account","ids":["a.b_c~d=e+f:g-h"]}]}`)
	t.Run("resources_restrict/shown", func(t *testing.T) {
		want := []any{map[string]any{"type": "card", "ids": []any{"12", "13"}}, map[string]any{"type": "account", "ids": []any{"a.b_c~d=e+f:g-h"}}}
		if got := b.shown(t, b.strict, token); !equal(got["resources"], want) || got["active"] != true {
			t.Errorf("introspection says %v", got)
		}
	})
	t.Run("resources_restrict/hidden_from_servers_that_do_not_enforce_them", func(t *testing.T) {
		if b.introspect(t, b.api, token) {
			t.Error("active for a resource server that does not enforce them")
		}
		if !b.introspect(t, b.strict, b.issue(t, b.token, peter, `{"scope":"cards"}`)) {
			t.Error("a token without resources is inactive for a resource server that enforces them")
		}
	})
}

// family is a backend's token and the tokens made from it for a customer.
type family struct {
	org, customer string
	client        clients.Created
	tokens        map[string]string
}

// family makes an org with a client, a customer and its tokens.
func (b *bank) family(t *testing.T, name string) family {
	t.Helper()
	f := family{org: name + "-org", customer: name + "-customer"}
	b.org(t, f.org)
	b.customer(t, f.customer, f.org, "individual", "+15555550130")
	f.client = b.client(t, name+"-client", bankScope, of(f.org))
	f.tokens = map[string]string{"client": b.world.token(t, f.client, "")}
	f.tokens["base"] = b.issue(t, f.tokens["client"], f.customer, base)
	f.tokens["verified"] = b.issue(t, f.tokens["client"], f.customer, verified("cards-write", b.verify(t, f.tokens["client"], f.customer)))
	f.tokens["upgraded"] = b.issue(t, f.tokens["base"], f.customer, verified("cards-write", b.verify(t, f.tokens["base"], f.customer)))
	return f
}

// active returns which of the family's tokens are active.
func (b *bank) active(t *testing.T, f family) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for name, token := range f.tokens {
		all[name] = b.introspect(t, b.api, token)
	}
	return all
}

// A customer token ends when the customer, the client that requested it, or its
// parent token ends.
func TestCustomerTokensEnd(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	all := map[string]bool{"client": true, "base": true, "verified": true, "upgraded": true}
	none := map[string]bool{"client": false, "base": false, "verified": false, "upgraded": false}
	clientOnly := map[string]bool{"client": true, "base": false, "verified": false, "upgraded": false}
	post := func(path string) func(*testing.T, family) {
		return func(t *testing.T, f family) {
			b.admin(t, "POST", strings.NewReplacer("ORG", f.org, "CLIENT", f.client.ClientID, "CUSTOMER", f.customer).Replace(path), nil)
		}
	}
	revoked := func(name string) func(*testing.T, family) {
		return func(t *testing.T, f family) {
			done("", call{}).check(t, b.send(t, revoke(f.tokens[name], basic(f.client))))
		}
	}
	for i, c := range []struct {
		name   string
		end    func(*testing.T, family)
		left   map[string]bool
		revive func(*testing.T, family)
	}{
		{"ends_with_parents/revoke_the_backends_token", revoked("client"), none, nil},
		{"ends_with_parents/revoke_the_base", revoked("base"), map[string]bool{"client": true, "base": false, "verified": true, "upgraded": false}, nil},
		{"ends_with_parents/revoke_the_upgraded", revoked("upgraded"), map[string]bool{"client": true, "base": true, "verified": true, "upgraded": false}, nil},
		{"ends_with_parents/end_the_secret", func(t *testing.T, f family) {
			b.admin(t, "DELETE", "/clients/"+f.client.ClientID+"/secrets/"+f.client.SecretID+"?void_tokens=true", nil)
		}, none, nil},
		{"ends_with_parents/leak_of_the_backends_token", func(t *testing.T, f family) {
			b.admin(t, "POST", "/leaks", map[string]string{"credential": f.tokens["client"]})
		}, none, nil},
		{"ends_with_parents/leak_of_the_secret", func(t *testing.T, f family) {
			b.admin(t, "POST", "/leaks", map[string]string{"credential": f.client.ClientSecret})
		}, none, nil},
		{"ends_with_parents/void_the_client", post("/clients/CLIENT/void-tokens"), none, nil},
		{"ends_with_parents/void_the_org", post("/orgs/ORG/void-tokens"), none, nil},
		{"ends_with_parents/void_the_customer", post("/customers/CUSTOMER/void-tokens"), clientOnly, nil},
		{"ends_with_parents/void_all", func(t *testing.T, _ family) { b.admin(t, "POST", "/tokens/void-all", nil) }, none, nil},
		{"ends_with_parents/deactivate_the_client", post("/clients/CLIENT/deactivate"), none, post("/clients/CLIENT/reactivate")},
		{"ends_with_parents/deactivate_the_org", post("/orgs/ORG/deactivate"), none, post("/orgs/ORG/reactivate")},
		{"ends_with_parents/deactivate_the_customer", post("/customers/CUSTOMER/deactivate"), clientOnly, post("/customers/CUSTOMER/reactivate")},
		{"ends_with_parents/delete_the_customer", func(t *testing.T, f family) { b.admin(t, "DELETE", "/customers/"+f.customer, nil) }, clientOnly,
			func(t *testing.T, f family) { b.customer(t, f.customer, f.org, "individual", "+15555550130") }},
		{"ends_with_parents/narrow_the_client", func(t *testing.T, f family) {
			b.admin(t, "PATCH", "/clients/"+f.client.ClientID, map[string]string{"scope": "cards customers customer-token-write"})
		}, none, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := b.family(t, fmt.Sprint("f", i))
			if got := b.active(t, f); !equal(got, all) {
				t.Fatalf("before: active %v", got)
			}
			pending := b.verify(t, f.tokens["client"], f.customer)
			c.end(t, f)
			if got := b.active(t, f); !equal(got, c.left) {
				t.Errorf("active %v, want %v", got, c.left)
			}
			for name, token := range f.tokens {
				r := b.send(t, askToken(f.customer, verified("cards-write", verification{"made-up", "000000"}), bearer(token)))
				if name != "client" && !c.left[name] && r.Status != 401 {
					t.Errorf("%s as bearer: %d %s", name, r.Status, r.Body)
				}
				if r.Status == 201 {
					t.Errorf("%s as bearer made a token", name)
				}
			}
			if c.revive == nil {
				return
			}
			if c.left["client"] {
				unknown("", call{}).check(t, b.send(t, askToken(f.customer, verified("cards-write", pending), bearer(f.tokens["client"]))))
				unknown("", call{}).check(t, b.send(t, askCode(f.customer, `{"channel":"sms"}`, bearer(f.tokens["client"]))))
			} else {
				failed("", call{}).check(t, b.send(t, ask(grant, basic(f.client))))
			}
			c.revive(t, f)
			if got := b.active(t, f); !equal(got, c.left) {
				t.Errorf("revived: active %v, want %v", got, c.left)
			}
			again := b.world.token(t, f.client, "")
			if strings.Contains(c.name, "customer") {
				unverified("a code from before", call{}).check(t, b.send(t, askToken(f.customer, verified("cards-write", pending), bearer(again))))
			}
			f.tokens = map[string]string{"client": again, "verified": b.issue(t, again, f.customer, verified("cards-write", b.verify(t, again, f.customer)))}
			if got := b.active(t, f); !equal(got, map[string]bool{"client": true, "verified": true}) {
				t.Errorf("new tokens: active %v", got)
			}
		})
	}
	t.Run("ends_with_parents/an_expired_client_token_ends_nothing", func(t *testing.T) {
		f := b.family(t, "expired")
		b.Clock.Add(2 * time.Hour)
		if got := b.active(t, f); !equal(got, map[string]bool{"client": false, "base": true, "verified": true, "upgraded": true}) {
			t.Errorf("active %v", got)
		}
	})
}

// A token ends too if its parents end while it is being made.
func TestEndWhileATokenIsMade(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		name string
		end  func(b *bank, t *testing.T, f family)
	}{
		{"ends_with_parents/customer_deactivated", func(b *bank, t *testing.T, f family) { b.admin(t, "POST", "/customers/"+f.customer+"/deactivate", nil) }},
		{"ends_with_parents/customer_voided", func(b *bank, t *testing.T, f family) {
			b.admin(t, "POST", "/customers/"+f.customer+"/void-tokens", nil)
		}},
		{"ends_with_parents/customer_deleted", func(b *bank, t *testing.T, f family) { b.admin(t, "DELETE", "/customers/"+f.customer, nil) }},
		{"ends_with_parents/org_deactivated", func(b *bank, t *testing.T, f family) { b.admin(t, "POST", "/orgs/"+f.org+"/deactivate", nil) }},
		{"ends_with_parents/client_deactivated", func(b *bank, t *testing.T, f family) {
			b.admin(t, "POST", "/clients/"+f.client.ClientID+"/deactivate", nil)
		}},
		{"ends_with_parents/bearer_revoked", func(b *bank, t *testing.T, f family) {
			done("", call{}).check(t, b.send(t, revoke(f.tokens["client"], basic(f.client))))
		}},
		{"ends_with_parents/secret_ended", func(b *bank, t *testing.T, f family) {
			b.admin(t, "DELETE", "/clients/"+f.client.ClientID+"/secrets/"+f.client.SecretID+"?void_tokens=true", nil)
		}},
	} {
		for _, method := range []string{"GetCustomer", "TakeGuess", "TryChallenge", "PutToken"} {
			t.Run(fmt.Sprint(c.name, "_before_", method), func(t *testing.T) {
				b := newBank(t)
				f := b.family(t, fmt.Sprint("f", i))
				v := b.verify(t, f.tokens["base"], f.customer)
				b.store.Hook(method, func() {
					b.store.Heal(method)
					c.end(b, t, f)
				})
				r := b.send(t, askToken(f.customer, verified("cards-write", v), bearer(f.tokens["base"])))
				if r.Status == 201 && b.introspect(t, b.api, attribute(t, r, "token")) {
					t.Error("the token is active")
				}
			})
		}
	}
}

// A failing store fails the request. It never makes a code work twice, and never
// makes a token without a code.
func TestCustomersStoreUnavailable(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	use := func(v verification) call { return askToken(peter, verified("cards-write", v), bearer(b.token)) }
	ask := askCode(peter, `{"channel":"sms"}`, bearer(b.token))
	for method, sends := range map[string]bool{"GetCustomer": false, "GetGuesses": false, "PutChallenge": false} {
		t.Run("code_"+method, func(t *testing.T) {
			before := len(b.phone.texts())
			b.store.Fail(method, store.ErrUnavailable)
			defer b.store.Heal(method)
			down("", call{}).check(t, b.send(t, ask))
			if sent := len(b.phone.texts()) > before; sent != sends {
				t.Errorf("sent: %v", sent)
			}
		})
	}
	for _, c := range []struct {
		method string
		after  bool // the store fails after it has done its work
		burned bool // the code is used up
	}{
		{"GetCustomer", false, false}, {"TakeGuess", false, false}, {"TakeGuess", true, false}, {"TryChallenge", false, false},
		{"TryChallenge", true, true}, {"ReturnGuess", false, true}, {"ReturnGuess", true, true}, {"PutToken", false, true}, {"PutToken", true, true},
	} {
		t.Run(fmt.Sprintf("code_right/%s_done_%v", c.method, c.after), func(t *testing.T) {
			b.forgive(t, peter)
			v := b.verify(t, b.token, peter)
			if c.after {
				b.store.FailAfter(c.method, store.ErrUnavailable)
			} else {
				b.store.Fail(c.method, store.ErrUnavailable)
			}
			down("", call{}).check(t, b.send(t, use(v)))
			b.store.Heal(c.method)
			if c.burned {
				unverified("", call{}).check(t, b.send(t, use(v)))
			} else {
				made("", call{}).check(t, b.send(t, use(v)))
			}
		})
	}
	t.Run("no_code_needed", func(t *testing.T) {
		for _, method := range []string{"TakeGuess", "TryChallenge", "GetGuesses", "PutChallenge"} {
			b.store.Fail(method, store.ErrUnavailable)
			defer b.store.Heal(method)
		}
		b.issue(t, b.token, peter, `{"scope":"cards"}`)
	})
}

// A code that cannot be counted is not sent.
func TestCodesThatCannotBeCounted(t *testing.T) {
	t.Parallel()
	b := newBank(t, limitedPhones(5))
	b.store.Fail("AddHits", store.ErrUnavailable)
	b.run(t, []row{down("code_limits/not_counted", askCode(peter, `{"channel":"sms"}`, bearer(b.token)))})
	if got := b.phone.texts(); len(got) > 0 {
		t.Errorf("codes were sent: %v", got)
	}
}

// A code that could not be sent is canceled, and still counts as sent.
func TestSenderDown(t *testing.T) {
	t.Parallel()
	b := newBank(t, limitedPhones(3))
	b.phone.respondWith(400) // is not tried again
	ask := askCode(peter, `{"channel":"sms"}`, bearer(b.token))
	for i := range 3 {
		before := b.store.Calls("DropChallenge")
		if i == 2 {
			b.store.Fail("DropChallenge", store.ErrUnavailable)
		}
		down("", call{}).check(t, b.send(t, ask))
		if b.store.Calls("DropChallenge") != before+1 {
			t.Error("the challenge was not dropped")
		}
	}
	b.phone.respondWith(204)
	row{status: 429, code: "too_many_requests"}.check(t, b.send(t, ask))
	t.Run("audited", func(t *testing.T) {
		if got := b.audit(t); !strings.Contains(got, `"action":"customer.send_code"`) {
			t.Errorf("audit: %.500s", got)
		}
	})
	t.Run("receiver_is_down", func(t *testing.T) {
		b := newBank(t)
		b.phone.Close()
		r := b.send(t, askCode(peter, `{"channel":"call"}`, bearer(b.token)))
		down("", call{}).check(t, r)
		if strings.Contains(r.Body, "127.0.0.1") {
			t.Errorf("the response says where codes are sent: %s", r.Body)
		}
	})
}

// limitedPhones allows each phone number count codes in 10 minutes.
func limitedPhones(count int) func(*config.Config) {
	return func(c *config.Config) { c.Limits.CodesPerPhone = config.Limit{Count: count, Per: 10 * time.Minute} }
}
