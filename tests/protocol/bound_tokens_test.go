package protocol_test

import (
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// boundTo makes the tokens of a client usable only from the addresses.
func boundTo(ranges ...string) func(*clients.NewSpec) {
	return func(s *clients.NewSpec) {
		bind := true
		s.SourceIPs, s.BindSourceIP = &ranges, &bind
	}
}

// bindings is a world with a client that is bound to loopback, and its token.
type bindings struct {
	*world
	fixed clients.Created
	token string
	all   clients.Created // enforces addresses itself
}

func (b *bindings) populate(t *testing.T) {
	t.Helper()
	b.world.populate(t)
	b.fixed = b.client(t, "fixed", appScope, boundTo("127.1.2.3/8", "::ffff:192.0.2.7"))
	b.token = b.world.token(t, b.fixed, "")
	b.all = b.server(t, "all", everyUse, "", "source_ip")
}

// change changes the client.
func (b *bindings) change(t *testing.T, members map[string]any) {
	t.Helper()
	b.admin(t, "PATCH", "/clients/fixed", members)
}

// activeHere reports whether the token is active for a caller at loopback.
func (b *bindings) activeHere(t *testing.T, token string) bool {
	t.Helper()
	return b.introspect(t, b.rs, token, "&source_ip=127.0.0.1")
}

// The tokens of a client that is bound to its addresses work only from them; on both
// stores.
func TestBoundTokens(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		b := &bindings{world: startWorld(t, start, harness.Options{})}
		b.populate(t)
		shown := []any{"127.0.0.0/8", "192.0.2.7"}
		b.run(t, []row{
			wantInactive("bound_tokens/no_address", about(b.token, basic(b.rs))),
			wantInactive("bound_tokens/another_address", form("/oauth/introspect", "source_ip=203.0.113.9&token="+b.token, basic(b.rs))),
			wantActive("bound_tokens/its_address", form("/oauth/introspect", "source_ip=127.9.9.9&token="+b.token, basic(b.rs))),
			wantActive("bound_tokens/its_other_address", form("/oauth/introspect", "source_ip=::ffff:192.0.2.7&token="+b.token, basic(b.rs))),
			{name: "bound_tokens/shown", call: about(b.token, basic(b.all)), status: 200, also: func(t *testing.T, r harness.Response) {
				if got := r.JSON(t); got["active"] != true || !equal(got["source_ips"], shown) || got["token_use"] != "client" {
					t.Error(r.Body)
				}
			}},
			{name: "bound_tokens/token_info", call: describe(b.token), status: 200, also: func(t *testing.T, r harness.Response) {
				if got := r.JSON(t)["source_ips"]; !equal(got, shown) {
					t.Error(r.Body)
				}
			}},
			wantActive("bound_tokens/of_a_client_that_is_not_bound", about(b.world.token(t, b.client(t, "loose", appScope, func(s *clients.NewSpec) { s.SourceIPs = &[]string{"127.0.0.0/8"} }), ""), basic(b.rs))),
		})
		if got := b.admin(t, "POST", "/tokens/explain", map[string]any{"token": b.token}).JSON(t); !equal(got["source_ips"], shown) || got["state"] != "active" {
			t.Errorf("explained: %v", got)
		}
		for _, step := range []struct {
			name  string
			with  map[string]any
			alive bool  // the token from before
			after []any // source_ips of a new token
		}{
			{"bound_tokens/one_range_more", map[string]any{"source_ips": []string{"127.0.0.0/8", "192.0.2.7", "::1"}}, true, []any{"127.0.0.0/8", "192.0.2.7", "::1"}},
			{"bound_tokens/one_range_less", map[string]any{"source_ips": []string{"127.0.0.0/8", "::1"}}, false, []any{"127.0.0.0/8", "::1"}},
			{"bound_tokens/narrower", map[string]any{"source_ips": []string{"127.0.0.0/16"}}, false, []any{"127.0.0.0/16"}},
			{"bound_tokens/wider", map[string]any{"source_ips": []string{"127.0.0.0/8"}}, true, []any{"127.0.0.0/8"}},
			{"bound_tokens/another_member", map[string]any{"name": "Fixed"}, true, []any{"127.0.0.0/8"}},
			{"bound_tokens/not_bound_any_more", map[string]any{"bind_source_ip": nil}, true, nil},
			{"bound_tokens/fewer_addresses_while_not_bound", map[string]any{"source_ips": []string{"127.0.0.0/9"}}, true, nil},
			{"bound_tokens/bound_again", map[string]any{"bind_source_ip": true}, false, []any{"127.0.0.0/9"}},
		} {
			t.Run(step.name, func(t *testing.T) {
				before := b.world.token(t, b.fixed, "")
				if !b.activeHere(t, before) { // and in the cache
					t.Fatal("inactive before")
				}
				b.change(t, step.with)
				if got := b.activeHere(t, before); got != step.alive {
					t.Errorf("the token from before: active %v, want %v", got, step.alive)
				}
				after := b.world.token(t, b.fixed, "")
				got, _ := b.send(t, about(after, basic(b.all))).JSON(t)["source_ips"].([]any)
				if !b.activeHere(t, after) || !equal(got, step.after) {
					t.Errorf("a new token has %v, want %v", got, step.after)
				}
			})
		}
	})
}

// A token that is bound to addresses is a bearer of grantd only from them. What is made
// with it is not bound.
func TestBoundBearers(t *testing.T) {
	t.Parallel()
	b := newBank(t, func(c *config.Config) { c.Public.TrustedProxies = []string{"127.0.0.1/32"} })
	const inside, outside = "X-Forwarded-For: 192.0.2.9", "X-Forwarded-For: 203.0.113.9"
	with := func(c clients.Created, scope string) string {
		r := b.send(t, ask(grant+"&scope="+scope, basic(c), inside))
		granted("", call{}).check(t, r)
		token := r.JSON(t)["access_token"].(string)
		b.keep(token)
		return token
	}
	bearerOf := bearer(with(b.client(t, "bound", bankScope, of(acme), boundTo("192.0.2.0/24")), "customers+cards+customer-token-write"))
	askCards := func(headers ...string) call {
		return askToken(peter, `{"scope":"cards"}`, append(headers, bearerOf)...)
	}
	b.run(t, []row{
		notActive("bound_tokens/customer_from_elsewhere", askCards(outside)),
		notActive("bound_tokens/customer_from_the_proxy_itself", askCards()),
		notActive("bound_tokens/code_from_elsewhere", askCode(peter, `{"channel":"sms"}`, bearerOf, outside)),
		{name: "bound_tokens/code", call: askCode(peter, `{"channel":"sms"}`, bearerOf, inside), status: 201},
		{name: "bound_tokens/customer", call: askCards(inside), status: 201, also: func(t *testing.T, r harness.Response) {
			token := attribute(t, r, "token")
			got := b.send(t, about(token, basic(b.api))).JSON(t)
			if got["active"] != true || got["source_ips"] != nil {
				t.Errorf("the customer's token: %v", got)
			}
			granted("", call{}).check(t, b.send(t, describe(token, outside)))
			b.admin(t, "PATCH", "/clients/bound", map[string]any{"source_ips": []string{"192.0.2.0/25"}})
			if b.introspect(t, b.api, token) {
				t.Error("the customer's token outlives the bearer")
			}
		}},
	})
	rs := with(b.client(t, "bound-rs", "introspect", boundTo("192.0.2.0/24")), "introspect")
	b.run(t, []row{
		wantActive("bound_tokens/introspects", form("/oauth/introspect", "token="+b.token, bearer(rs), inside)),
		{name: "bound_tokens/introspects_from_elsewhere", call: form("/oauth/introspect", "token="+b.token, bearer(rs), outside), status: 401, code: "invalid_token",
			header: map[string]string{"WWW-Authenticate": `Bearer realm="grantd", error="invalid_token"`}},
		notHeld("bound_tokens/token_info_from_elsewhere", describe(rs, outside)),
		granted("bound_tokens/token_info_from_its_address", describe(rs, inside)),
		failed("bound_tokens/the_client_from_elsewhere", ask(grant, basicOf("bound-rs", "x"), outside)),
	})
	t.Run("bound_tokens/a_customer's_token_with_addresses", func(t *testing.T) {
		own := b.planted(t, func(r *store.Token) {
			r.Use, r.OrgID, r.CustomerID, r.Scopes, r.SourceIPs = store.UseCustomer, acme, peter, bankScope, []string{"192.0.2.0/24"}
		})
		notActive("", call{}).check(t, b.send(t, askCode(peter, `{"channel":"sms"}`, bearer(own), outside)))
		if r := b.send(t, askCode(peter, `{"channel":"sms"}`, bearer(own), inside)); r.Status != 201 {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}
