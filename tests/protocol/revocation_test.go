package protocol_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// revoke revokes a token.
func revoke(token string, headers ...string) call {
	return form("/oauth/revoke", "token="+url.QueryEscape(token), headers...)
}

// done makes the row of a successful revocation.
func done(name string, c call) row {
	return row{name: name, call: c, status: 200, body: "{}", header: map[string]string{"Content-Type": "application/json"}}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	auth := basic(w.app)
	token, others := w.token(t, w.app, ""), w.token(t, w.other, "")
	for _, c := range []struct {
		name string
		call func(token string) call
	}{
		{"revoke_own", func(token string) call { return revoke(token, auth) }},
		{"revoke_own/credentials_in_the_body", func(token string) call {
			return form("/oauth/revoke", "token="+token+credentials(w.app))
		}},
		{"revoke_hint/right", func(token string) call {
			return form("/oauth/revoke", "token_type_hint=access_token&token="+token, auth)
		}},
		{"revoke_hint/wrong", func(token string) call {
			return form("/oauth/revoke", "token_type_hint=refresh_token&token="+token, auth)
		}},
		{"revoke_hint/unknown", func(token string) call { return form("/oauth/revoke", "token_type_hint=foo&token="+token, auth) }},
		{"revoke_unknown_parameter", func(token string) call { return form("/oauth/revoke", "foo=bar&foo=baz&token="+token, auth) }},
		{"revoke_get/callback_is_ignored", func(token string) call {
			return form("/oauth/revoke?callback=x", "callback=package.myCallback&token="+token, auth)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mine := w.token(t, w.app, "")
			if !w.introspect(t, w.rs, mine) { // now it is cached
				t.Fatal("not active")
			}
			done("", call{}).check(t, w.send(t, c.call(mine)))
			if w.introspect(t, w.rs, mine) {
				t.Error("still active")
			}
		})
	}
	const missing = "token is missing"
	notYours := func(name string, c call) row {
		return row{name: name, call: c, status: 400, code: "unauthorized_client"}
	}
	gone := w.token(t, w.app, "")
	w.run(t, []row{
		done("revoke_unknown", revoke(strings.Repeat("a", 43), auth)),
		done("revoke_again/1", revoke(gone, auth)),
		done("revoke_again/2", revoke(gone, auth)),
		done("revoke_malformed", revoke("x", auth)),
		done("revoke_malformed/4_kb", revoke(strings.Repeat("x", 4096), auth)),
		done("revoke_malformed/nul", revoke("a\x00b", auth)),
		done("revoke_malformed/invalid_utf8", revoke("\xff", auth)),
		done("revoke_malformed/the_secret_is_no_token", revoke(w.app.ClientSecret, auth)),
		notYours("revoke_anothers/token_of_another_client", revoke(others, auth)),
		notYours("revoke_anothers/even_for_a_resource_server", revoke(others, basic(w.rs))),
		failed("revoke_authentication/none", revoke(token)),
		failed("revoke_authentication/wrong", revoke(token, basicOf("app", wrong))),
		failed("revoke_authentication/unknown", revoke(token, basicOf("nobody", wrong))),
		otherToken("revoke_authentication/bearer_is_no_client_authentication", revoke(token, bearer(others))),
		refused("revoke_token_missing", form("/oauth/revoke", "", auth), missing),
		refused("revoke_token_missing/empty", form("/oauth/revoke", "token=", auth), missing),
		refused("revoke_token_missing/twice", form("/oauth/revoke", "token="+token+"&token="+token, auth), "is repeated"),
		// Every type of token can be revoked, so unsupported_token_type is never returned.
		done("revoke_every_type", form("/oauth/revoke", "token_type_hint=id_token&token=x", auth)),
		{name: "revoke_get", call: call{method: "GET", target: "/oauth/revoke?token=" + token + "&callback=x", headers: []string{auth}},
			status: 405, code: badRequest, header: map[string]string{"Allow": "POST"}},
		refused("json_only_at_token_endpoint/refused_at_revocation", post("/oauth/revoke", `{"token":"`+token+`"}`, jsonType, auth), "application/x-www-form-urlencoded"),
	})
	t.Run("revoke_anothers/it_stays_active", func(t *testing.T) {
		if !w.introspect(t, w.rs, others) {
			t.Error("the other client's token is inactive")
		}
	})
	t.Run("revoke_authentication/it_stays_active", func(t *testing.T) {
		if !w.introspect(t, w.rs, token) {
			t.Error("an unauthenticated call ended the token")
		}
	})
	// Without TLS only loopback is served: see the rule no_plain_http.
	t.Run("revoke_no_redirect", func(t *testing.T) {
		wantHeader(t, w.send(t, revoke("x", auth)), "Location", "")
	})
	t.Run("revoke_own/audited", func(t *testing.T) {
		poll.AwaitTrue(t, poll.Patience, "the event", func() bool { return strings.Contains(w.audit(t), `"action":"token.revoke"`) })
	})
}

func TestRevocationInParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, w.app, "")
	t.Run("revoke_parallel", func(t *testing.T) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				r := w.Form(t, "/oauth/revoke", w.app.ClientID, w.app.ClientSecret, url.Values{"token": {token}})
				if r.Status != 200 {
					t.Errorf("%d %s", r.Status, r.Body)
				}
			})
		}
		all.Wait()
		if w.introspect(t, w.rs, token) {
			t.Error("still active")
		}
	})
}

func TestVoid(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		w := startWorld(t, start, harness.Options{})
		w.populate(t)
		old, others := w.token(t, w.app, ""), w.token(t, w.other, "")
		if !w.introspect(t, w.rs, old) {
			t.Fatal("not active")
		}
		t.Run("void_client", func(t *testing.T) {
			if r := w.AdminDo(t, "POST", "/clients/app/void-tokens", nil); r.Status != 200 {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			if w.introspect(t, w.rs, old) || !w.introspect(t, w.rs, others) {
				t.Error("an old token is active, or another client's is not")
			}
			if !w.introspect(t, w.rs, w.token(t, w.app, "")) {
				t.Error("a token issued afterwards is inactive")
			}
		})
	})
}

// Revoking a customer token does not revoke a token of its client, nor the
// other way around. A client cannot revoke tokens that belong to no client.
func TestRevocationOfOtherUses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rs := w.client(t, "customers", "introspect", func(s *clients.NewSpec) {
		s.TokenUses = &[]store.TokenUse{store.UseClient, store.UseCustomer, store.UseOnBehalf}
	})
	customer := func(r *store.Token) { r.Use, r.CustomerID = store.UseCustomer, "10001" }
	for _, c := range []struct {
		name              string
		revokeOf, remains string
	}{
		{"revoke_one_use/customer_token_alone", w.planted(t, customer), w.token(t, w.app, "")},
		{"revoke_one_use/client_token_alone", w.token(t, w.app, ""), w.planted(t, customer)},
	} {
		t.Run(c.name, func(t *testing.T) {
			done("", call{}).check(t, w.send(t, revoke(c.revokeOf, basic(w.app))))
			if w.introspect(t, rs, c.revokeOf) || !w.introspect(t, rs, c.remains) {
				t.Error("the revoked token is active, or the other one is not")
			}
		})
	}
	onBehalf := w.planted(t, func(r *store.Token) {
		r.Use, r.OrgID, r.PartnerID, r.ClientID, r.SecretID = store.UseOnBehalf, "o1", "acme", "", ""
	})
	w.run(t, []row{{name: "revoke_anothers/token_without_a_client", call: revoke(onBehalf, basic(w.app)), status: 400, code: "unauthorized_client"}})
	if !w.introspect(t, rs, onBehalf) {
		t.Error("the on-behalf token is inactive: a client has revoked it")
	}
}

// Tokens that were made from a token end with it. The revocation is remembered
// after that token has expired, because those made from it may live longer.
func TestRevocationOfAParent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	backend := w.client(t, "backend", "users:read "+scopes.CustomerTokenWrite)
	rs := w.client(t, "customers", "introspect", func(s *clients.NewSpec) {
		s.TokenUses = &[]store.TokenUse{store.UseClient, store.UseCustomer}
	})
	from := func(parent string) func(*store.Token) {
		return func(r *store.Token) {
			r.Use, r.CustomerID, r.Parents = store.UseCustomer, "10001", []string{tokens.ID(tokens.DigestOf(parent))}
		}
	}
	for _, c := range []struct {
		name     string
		revoked  string
		by       clients.Created
		outlived bool // by the tokens made from it
	}{
		{"ends_with_parents/bearer_token", w.token(t, backend, ""), backend, true},
		{"ends_with_parents/customer_token", w.planted(t, func(r *store.Token) { r.Use, r.CustomerID = store.UseCustomer, "10001" }), w.app, true},
		{"ends_with_parents/token_that_makes_no_tokens", w.token(t, w.app, ""), w.app, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, other := w.planted(t, from(c.revoked)), w.planted(t, from(w.token(t, backend, "")))
			if !w.introspect(t, rs, made) {
				t.Fatal("not active")
			}
			done("", call{}).check(t, w.send(t, revoke(c.revoked, basic(c.by))))
			if w.introspect(t, rs, made) || !w.introspect(t, rs, other) {
				t.Error("the token made from the revoked one is active, or the other one is not")
			}
			why := w.AdminDo(t, "POST", "/tokens/explain", map[string]string{"token": made}).JSON(t)
			if want := "token:" + tokens.ID(tokens.DigestOf(c.revoked)); why["state"] != "void" || why["void_of"] != want || fmt.Sprint("token:", why["parent_jtis"].([]any)[0]) != want {
				t.Errorf("/tokens/explain says %v", why)
			}
			entries, err := w.store.ReadFeed(t.Context(), store.Position{}, 0)
			if err != nil || len(entries) == 0 {
				t.Fatalf("%d entries, %v", len(entries), err)
			}
			if last := entries[len(entries)-1]; last.Until.IsZero() != c.outlived {
				t.Errorf("the void of %s is kept until %v", last.Key, last.Until)
			}
		})
	}
}
