package protocol_test

import (
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// self revokes the token by itself.
func self(token string, headers ...string) call {
	return revoke(token, append([]string{bearer(token)}, headers...)...)
}

// otherToken makes the row of a bearer token that is not the token.
func otherToken(name string, c call) row {
	return row{name: name, call: c, status: 401, code: "invalid_token", says: "ends only itself",
		header: map[string]string{"WWW-Authenticate": `Bearer realm="grantd", error="invalid_token"`}}
}

func TestRevokeSelf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token, other := w.token(t, w.app, ""), w.token(t, w.app, "")
	gone, live, blank := w.token(t, w.app, ""), w.token(t, w.app, ""), w.token(t, w.app, "")
	short := w.client(t, "short", appScope, func(s *clients.NewSpec) { ttl := int64(60); s.TokenTTL = &ttl })
	expired := w.token(t, short, "")
	w.Clock.Add(2 * time.Minute)
	before := w.store.Calls("AppendFeed")
	w.run(t, []row{
		otherToken("revoke_self_other/of_the_same_client", revoke(other, bearer(token))),
		otherToken("revoke_self_other/of_another_client", revoke(w.token(t, w.other, ""), bearer(token))),
		otherToken("revoke_self_other/made_up", revoke("x", bearer(token))),
		otherToken("revoke_self_other/made_up_bearer", revoke(token, bearer("x"))),
		otherToken("revoke_self_other/empty_bearer", revoke(token, "Authorization: Bearer")),
		otherToken("revoke_self_other/more_behind_it", revoke(token, bearer(token+" x"))),
		otherToken("revoke_self_other/its_beginning", revoke(token, bearer(token[:len(token)-1]))),
		refused("revoke_self_credentials/basic", revoke(token, bearer(token), basic(w.app)), "more than one Authorization header"),
		refused("revoke_self_credentials/secret", form("/oauth/revoke", "token="+token+credentials(w.app), bearer(token)), "more than one client authentication method"),
		refused("revoke_self_credentials/assertion", form("/oauth/revoke", "client_assertion=x&client_assertion_type=y&token="+token, bearer(token)), "more than one client authentication method"),
		refused("revoke_self_credentials/assertion_type", form("/oauth/revoke", "client_assertion_type=y&token="+token, bearer(token)), "more than one client authentication method"),
		refused("revoke_token_missing/with_a_bearer_token", form("/oauth/revoke", "", bearer(token)), "token is missing"),
		refused("revoke_token_missing/twice_with_a_bearer_token", form("/oauth/revoke", "token="+token+"&token="+token, bearer(token)), "is repeated"),
	})
	t.Run("revoke_self_other/nothing_ended", func(t *testing.T) {
		if got := w.store.Calls("AppendFeed"); got != before || !w.introspect(t, w.rs, token) || !w.introspect(t, w.rs, other) {
			t.Errorf("%d entries in the feed, or a token is inactive", got-before)
		}
	})
	w.run(t, []row{
		done("revoke_self", self(token)),
		done("revoke_self/scheme_in_lower_case", revoke(gone, "Authorization: bearer "+gone)),
		// A client_id is no credential, and an empty parameter counts as absent
		// (RFC 6749 §3.2).
		done("revoke_self/hint_and_client_id_are_ignored", form("/oauth/revoke", "token_type_hint=x&client_id=somebody&token="+live, bearer(live))),
		done("revoke_self/empty_secret_is_absent", form("/oauth/revoke", "client_id=somebody&client_secret=&token="+blank, bearer(blank))),
	})
	t.Run("revoke_self/inactive", func(t *testing.T) {
		if w.introspect(t, w.rs, token) || w.introspect(t, w.rs, gone) || w.introspect(t, w.rs, live) || w.introspect(t, w.rs, blank) || !w.introspect(t, w.rs, other) {
			t.Error("one is active, or the client's other token is not")
		}
	})
	before = w.store.Calls("AppendFeed")
	w.run(t, []row{
		done("revoke_self_ended/again", self(gone)),
		done("revoke_self_ended/expired", self(expired)),
		done("revoke_self_ended/made_up", self(token[:len(token)-1]+"x")),
		done("revoke_self_ended/not_a_token", self("x")),
		done("revoke_self_ended/other_environment", self(strings.Replace(other, "sandbox", "live", 1))),
		done("revoke_self_ended/a_client_secret_is_no_token", self(w.app.ClientSecret)),
		done("revoke_self_ended/partner_token_that_nobody_made", self("gp_sandbox_abcd1234_"+strings.Repeat("a", 43))),
		done("revoke_self_ended/4_kb", self(strings.Repeat("x", 4096))),
	})
	t.Run("revoke_self_ended/nothing_written", func(t *testing.T) {
		if got := w.store.Calls("AppendFeed"); got != before {
			t.Errorf("%d entries in the feed", got-before)
		}
	})
	t.Run("revoke_self/audited_and_logged", func(t *testing.T) {
		poll.AwaitTrue(t, poll.Patience, "the event", func() bool {
			return strings.Contains(w.audit(t), `"action":"token.revoke","target":"client:app","outcome":"done"`) || strings.Contains(w.audit(t), `"actor":"client:app"`)
		})
		if logs := w.Logs.String(); !strings.Contains(logs, `"cause":"other_token"`) {
			t.Error("the log has no cause of a refusal")
		}
	})
}

// A token of any use ends itself, whatever restricts it, and with it what was made
// from it.
func TestRevokeSelfOfEveryUse(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		phone := newTelephone(t)
		b := &bank{phone: phone, world: startWorld(t, start, harness.Options{Edit: phone.configure})}
		b.world.phone = phone
		b.world.populate(t)
		b.populate(t)
		a := &alliance{world: b.world}
		a.agree(t)
		own := func(t *testing.T, token string) {
			t.Helper()
			done("", call{}).check(t, b.send(t, self(token)))
		}
		for i, c := range []struct {
			name string
			left map[string]bool
		}{
			{"client", map[string]bool{"client": false, "base": false, "verified": false, "upgraded": false}},
			{"base", map[string]bool{"client": true, "base": false, "verified": true, "upgraded": false}},
			{"upgraded", map[string]bool{"client": true, "base": true, "verified": true, "upgraded": false}},
		} {
			t.Run("revoke_self/"+c.name, func(t *testing.T) {
				f := b.family(t, strings.Repeat("s", i+1))
				own(t, f.tokens[c.name])
				if got := b.active(t, f); !equal(got, c.left) {
					t.Errorf("active %v, want %v", got, c.left)
				}
				why := b.AdminDo(t, "POST", "/tokens/explain", map[string]string{"token": f.tokens[c.name]}).JSON(t)
				want := "customer:" + f.customer
				if c.name == "client" {
					want = "client:" + f.client.ClientID
				}
				if why["state"] != "revoked" || why["ended_by"] != want {
					t.Errorf("/tokens/explain says %v", why)
				}
			})
		}
		t.Run("revoke_self/resources", func(t *testing.T) {
			token := b.issue(t, b.token, peter, `{"scope":"cards","resources":[{"type":"card","ids":["12"]}]}`)
			own(t, token)
			if b.introspect(t, b.strict, token) {
				t.Error("active")
			}
		})
		t.Run("revoke_self/audience_and_address", func(t *testing.T) {
			narrow := b.client(t, "narrow", appScope, func(s *clients.NewSpec) { s.Resources = &[]string{"https://elsewhere.example.com"} })
			rs := b.server(t, "elsewhere", []store.TokenUse{store.UseClient}, "https://elsewhere.example.com")
			token := b.world.token(t, narrow, "")
			if !b.introspect(t, rs, token) {
				t.Fatal("not active")
			}
			own(t, token)
			onBehalf := a.onBehalf(t, a.token, sharedTwo, "cards", `,"sourceIp":"192.0.2.1"`)
			own(t, onBehalf)
			if b.introspect(t, rs, token) || b.introspect(t, a.api, onBehalf) {
				t.Error("active")
			}
			if why := b.AdminDo(t, "POST", "/tokens/explain", map[string]string{"token": onBehalf}).JSON(t); why["ended_by"] != "partner:"+hurdlr {
				t.Errorf("/tokens/explain says %v", why)
			}
			if !b.introspect(t, a.api, a.token) {
				t.Error("the partner token ended too")
			}
		})
		t.Run("revoke_self/partner_token", func(t *testing.T) {
			token, id := a.partnerToken(t, hurdlr, map[string]any{"source_ips": []string{"192.0.2.1"}})
			free, _ := a.partnerToken(t, hurdlr, nil)
			made := a.onBehalf(t, free, sharedTwo, "cards")
			otherToken("", call{}).check(t, b.send(t, revoke(token, bearer(free))))
			own(t, token)
			own(t, token)
			if b.introspect(t, a.api, token, "&source_ip=192.0.2.1") || !b.introspect(t, a.api, made) || !b.introspect(t, a.api, free) {
				t.Error("the token is active, or another one is not")
			}
			own(t, free)
			if b.introspect(t, a.api, made) || b.introspect(t, a.api, free) {
				t.Error("a token that was made with the partner token is active")
			}
			if got := strings.Count(b.audit(t), `"actor":"partner:`+hurdlr+`"`); got != 2 && b.store != nil {
				t.Errorf("%d events of the partner", got)
			}
			if why := b.AdminDo(t, "POST", "/tokens/explain", map[string]string{"jti": id}).JSON(t); why["state"] != "revoked" || why["ended_by"] != "partner:"+hurdlr {
				t.Errorf("/tokens/explain says %v", why)
			}
		})
	})
}

// If the store fails, the response is 503 and the page can try again.
func TestRevokeSelfWithoutStore(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	for method, tokens := range map[string][]string{
		"GetToken":      {a.world.token(t, a.app, ""), a.onBehalf(t, a.token, sharedTwo, "cards")},
		"AppendFeed":    {a.world.token(t, a.app, ""), a.token},
		"ReplaceToken":  {a.world.token(t, a.app, "")},
		"UpdatePartner": {func() string { token, _ := a.partnerToken(t, hurdlr, nil); return token }()},
	} {
		t.Run("revoke_store_down/self_"+method, func(t *testing.T) {
			for _, token := range tokens {
				a.store.Fail(method, store.ErrUnavailable)
				r := a.send(t, self(token))
				a.store.Heal(method)
				if r.Status != 503 {
					t.Fatalf("%d %s", r.Status, r.Body)
				}
				done("", call{}).check(t, a.send(t, self(token)))
				if a.introspect(t, a.api, token) {
					t.Error("active after the repeated call")
				}
			}
		})
	}
}

// Each holder of tokens that end themselves has a separate count.
func TestRevokeSelfCounts(t *testing.T) {
	t.Parallel()
	b := newBank(t, func(c *config.Config) { c.Limits.RevocationsPerClient.Count = 2 })
	over := func(name string, c call) row {
		return row{name: name, call: c, status: 429, code: "too_many_requests", says: "has not ended"}
	}
	mint := func() string { return b.world.token(t, b.backend, "") }
	customers := func(id string) string { return b.issue(t, b.token, id, `{"scope":"cards"}`) }
	last, kept := customers(peter), mint()
	b.run(t, []row{
		done("revoke_self_counts/client_1", revoke(mint(), basic(b.backend))),
		done("revoke_self_counts/client_2", self(mint())),
		over("revoke_self_counts/client_3", self(kept)),
		over("revoke_self_counts/client_with_its_secret", revoke(kept, basic(b.backend))),
		done("revoke_self_counts/customer_1", self(customers(peter))),
		done("revoke_self_counts/customer_2", self(customers(peter))),
		over("revoke_self_counts/customer_3", self(last)),
		done("revoke_self_counts/another_customer", self(customers(ana))),
		done("revoke_self_counts/what_has_ended_does_not_count", self("x")),
	})
	t.Run("revoke_self_counts/refused_tokens_stay_active", func(t *testing.T) {
		if !b.introspect(t, b.api, last) || !b.introspect(t, b.api, kept) {
			t.Error("inactive")
		}
		if logs := b.Logs.String(); !strings.Contains(logs, `"msg":"customer is over its revocation quota","limit":"revocations_per_client","customer_id":"10001"`) {
			t.Error("the log does not name the customer")
		}
	})
}
