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
)

// revoke asks to end a token.
func revoke(token string, headers ...string) call {
	return form("/oauth/revoke", "token="+url.QueryEscape(token), headers...)
}

// done is the answer to a revocation.
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
		{"V01_own_token", func(token string) call { return revoke(token, auth) }},
		{"V01_credentials_in_the_body", func(token string) call {
			return form("/oauth/revoke", "token="+token+credentials(w.app))
		}},
		{"V08_right_hint", func(token string) call {
			return form("/oauth/revoke", "token_type_hint=access_token&token="+token, auth)
		}},
		{"V08_wrong_hint", func(token string) call {
			return form("/oauth/revoke", "token_type_hint=refresh_token&token="+token, auth)
		}},
		{"V08_unknown_hint", func(token string) call { return form("/oauth/revoke", "token_type_hint=foo&token="+token, auth) }},
		{"V13_unknown_parameter", func(token string) call { return form("/oauth/revoke", "foo=bar&foo=baz&token="+token, auth) }},
		{"V10_callback_is_ignored", func(token string) call {
			return form("/oauth/revoke?callback=x", "callback=package.myCallback&token="+token, auth)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mine := w.token(t, w.app, "")
			if !w.introspect(t, w.rs, mine) { // cached from here on
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
		done("V02_unknown", revoke(strings.Repeat("a", 43), auth)),
		done("V03_own_token_again_1", revoke(gone, auth)),
		done("V03_own_token_again_2", revoke(gone, auth)),
		done("V04_malformed", revoke("x", auth)),
		done("V04_4_kb", revoke(strings.Repeat("x", 4096), auth)),
		done("V04_nul", revoke("a\x00b", auth)),
		done("V04_invalid_utf8", revoke("\xff", auth)),
		done("V04_the_secret_is_no_token", revoke(w.app.ClientSecret, auth)),
		notYours("V05_token_of_another_client", revoke(others, auth)),
		notYours("V05_even_for_a_resource_server", revoke(others, basic(w.rs))),
		failed("V06_none", revoke(token)),
		failed("V06_wrong", revoke(token, basicOf("app", wrong))),
		failed("V06_unknown", revoke(token, basicOf("nobody", wrong))),
		failed("V06_bearer_is_no_client_authentication", revoke(token, bearer(token))),
		refused("V07_missing", form("/oauth/revoke", "", auth), missing),
		refused("V07_empty", form("/oauth/revoke", "token=", auth), missing),
		refused("V07_twice", form("/oauth/revoke", "token="+token+"&token="+token, auth), "more than once"),
		// Every type of token can be revoked, so unsupported_token_type is never told.
		done("V09_every_type_is_revocable", form("/oauth/revoke", "token_type_hint=id_token&token=x", auth)),
		{name: "V10_get", call: call{method: "GET", target: "/oauth/revoke?token=" + token + "&callback=x", headers: []string{auth}},
			status: 405, code: badRequest, header: map[string]string{"Allow": "POST"}},
		refused("T10_json_is_for_the_token_endpoint", post("/oauth/revoke", `{"token":"`+token+`"}`, jsonType, auth), "application/x-www-form-urlencoded"),
	})
	t.Run("V05_it_stays_active", func(t *testing.T) {
		if !w.introspect(t, w.rs, others) {
			t.Error("the other client's token is inactive")
		}
	})
	t.Run("V06_it_stays_active", func(t *testing.T) {
		if !w.introspect(t, w.rs, token) {
			t.Error("an unauthenticated call ended the token")
		}
	})
	// Without TLS nothing but loopback is served: see T05.
	t.Run("V12_no_redirect_to_https", func(t *testing.T) {
		wantHeader(t, w.send(t, revoke("x", auth)), "Location", "")
	})
	t.Run("V01_audited", func(t *testing.T) {
		if !strings.Contains(w.audit(t), `"action":"token.revoke"`) {
			t.Error("no event")
		}
	})
}

func TestRevocationInParallel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, w.app, "")
	t.Run("V14_100_at_once", func(t *testing.T) {
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
		t.Run("V15_void_all_of_a_client", func(t *testing.T) {
			if r := w.AdminDo(t, "POST", "/clients/app/void-tokens", nil); r.Status != 200 {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			if w.introspect(t, w.rs, old) || !w.introspect(t, w.rs, others) {
				t.Error("an old token is active, or another client's is not")
			}
			if !w.introspect(t, w.rs, w.token(t, w.app, "")) {
				t.Error("a token made afterwards is inactive")
			}
		})
	})
}

// A customer token and the token of the client that asked for it end apart;
// tokens without a client cannot be revoked by one.
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
		{"V16_customer_token_alone", w.planted(t, customer), w.token(t, w.app, "")},
		{"V16_client_token_alone", w.token(t, w.app, ""), w.planted(t, customer)},
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
	w.run(t, []row{{name: "V05_token_without_a_client", call: revoke(onBehalf, basic(w.app)), status: 400, code: "unauthorized_client"}})
	if !w.introspect(t, rs, onBehalf) {
		t.Error("V05: the token is inactive")
	}
}

// What was made from a token ends with it, and its end is not forgotten with
// the token: what was made from it may live longer.
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
		outlived bool // by what was made from it
	}{
		{"C18_bearer_token", w.token(t, backend, ""), backend, true},
		{"C18_customer_token", w.planted(t, func(r *store.Token) { r.Use, r.CustomerID = store.UseCustomer, "10001" }), w.app, true},
		{"C18_token_that_makes_none", w.token(t, w.app, ""), w.app, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, other := w.planted(t, from(c.revoked)), w.planted(t, from(w.token(t, backend, "")))
			if !w.introspect(t, rs, made) {
				t.Fatal("not active")
			}
			done("", call{}).check(t, w.send(t, revoke(c.revoked, basic(c.by))))
			if w.introspect(t, rs, made) || !w.introspect(t, rs, other) {
				t.Error("what was made from the revoked token is active, or another is not")
			}
			why := w.AdminDo(t, "POST", "/tokens/explain", map[string]string{"token": made}).JSON(t)
			if want := "token:" + tokens.ID(tokens.DigestOf(c.revoked)); why["state"] != "void" || why["void_of"] != want || fmt.Sprint("token:", why["parent_jtis"].([]any)[0]) != want {
				t.Errorf("explained as %v", why)
			}
			entries, err := w.store.ReadFeed(t.Context(), store.Position{}, 0)
			if err != nil || len(entries) == 0 {
				t.Fatalf("%d entries, %v", len(entries), err)
			}
			if last := entries[len(entries)-1]; last.Until.IsZero() != c.outlived {
				t.Errorf("the void of %s counts until %v", last.Key, last.Until)
			}
		})
	}
}
