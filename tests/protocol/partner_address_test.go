package protocol_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// The addresses from which an on-behalf token may be used.
func TestOnBehalfAddresses(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	auth := bearer(a.token)
	generic := a.server(t, "generic", []store.TokenUse{store.UseOnBehalf}, "")
	with := func(sourceIP string) string { return onBehalfOf(sharedTwo, "cards", `,"sourceIp":`+sourceIP) }
	list := func(n int) string { // of different addresses
		var all []string
		for i := range n {
			all = append(all, fmt.Sprint("10.0.0.", i))
		}
		return strings.Join(all, ",")
	}
	for _, c := range []struct {
		name, sourceIP  string
		shown           []any
		inside, outside []string
	}{
		{"source_addresses/IPv4", "192.0.2.1", []any{"192.0.2.1"}, []string{"192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"}, []string{"192.0.2.0", "192.0.2.2", "::192.0.2.1"}},
		{"source_addresses/IPv6", "2001:DB8::A", []any{"2001:db8::a"}, []string{"2001:db8::a", "2001:db8:0:0:0:0:0:a"}, []string{"2001:db8::b", "2001:db8::9"}},
		{"source_addresses/IPv4_mapped", "::ffff:192.0.2.1", []any{"192.0.2.1"}, []string{"192.0.2.1", "::ffff:192.0.2.1"}, []string{"192.0.2.2"}},
		{"source_addresses/IPv4_mapped_CIDR", "::ffff:192.0.2.0/120", []any{"192.0.2.0/24"}, []string{"192.0.2.0", "192.0.2.255"}, []string{"192.0.1.255", "192.0.3.0"}},
		{"source_addresses/CIDR", "192.0.2.128/25", []any{"192.0.2.128/25"}, []string{"192.0.2.128", "192.0.2.255"}, []string{"192.0.2.127", "192.0.3.0"}},
		{"source_addresses/CIDR_of_an_address_within", "192.0.2.77/24", []any{"192.0.2.0/24"}, []string{"192.0.2.0", "192.0.2.255"}, []string{"192.0.3.0"}},
		{"source_addresses/CIDR_of_one", "192.0.2.1/32", []any{"192.0.2.1"}, []string{"192.0.2.1"}, []string{"192.0.2.0"}},
		{"source_addresses/CIDR_of_all_IPv4", "0.0.0.0/0", []any{"0.0.0.0/0"}, []string{"192.0.2.1", "255.255.255.255", "::ffff:192.0.2.1"}, []string{"2001:db8::1"}},
		{"source_addresses/CIDR_of_all_IPv6", "::/0", []any{"::/0"}, []string{"2001:db8::1", "::1"}, []string{"192.0.2.1", "::ffff:192.0.2.1"}},
		{"source_addresses/CIDR_IPv6", "2001:db8:1::/48", []any{"2001:db8:1::/48"}, []string{"2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff"}, []string{"2001:db8:2::", "2001:db8:0:ffff::"}},
		{"source_addresses/several", "192.0.2.1,2001:db8::/32,198.51.100.0/24", []any{"192.0.2.1", "2001:db8::/32", "198.51.100.0/24"}, []string{"192.0.2.1", "2001:db8::1", "198.51.100.9"}, []string{"203.0.113.1", "2001:db9::"}},
		{"source_addresses/spelled_in_three_ways", "192.0.2.1,::ffff:192.0.2.1,192.0.2.1/32", []any{"192.0.2.1"}, []string{"192.0.2.1"}, []string{"192.0.2.2"}},
		{"source_addresses/as_many_as_there_may_be", list(32), nil, []string{"10.0.0.31"}, []string{"10.0.0.32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := a.onBehalf(t, a.token, sharedTwo, "cards", `,"sourceIp":"`+c.sourceIP+`"`)
			if got := a.shown(t, a.api, token)["source_ips"]; c.shown != nil && !equal(got, c.shown) {
				t.Errorf("source_ips %v, want %v", got, c.shown)
			}
			from := func(ip string) bool { return a.introspect(t, generic, token, "&source_ip="+url.QueryEscape(ip)) }
			for _, ip := range c.inside {
				if !from(ip) {
					t.Errorf("inactive from %s", ip)
				}
			}
			for _, ip := range c.outside {
				if from(ip) {
					t.Errorf("active from %s", ip)
				}
			}
			if a.introspect(t, generic, token) {
				t.Error("active for a resource server that sends no address")
			}
			if !a.introspect(t, a.api, token) || !a.introspect(t, a.api, token, "&source_ip=203.0.113.9") {
				t.Error("inactive for a resource server that enforces the addresses itself")
			}
			wantInactive("", call{}).check(t, a.send(t, about(token, basic(generic), "X-Forwarded-For: "+c.inside[0], "X-Real-IP: "+c.inside[0])))
		})
	}
	var rows []row
	for i, value := range []string{
		`""`, `","`, `"192.0.2.1,"`, `",192.0.2.1"`, `"192.0.2.1,,192.0.2.2"`, `"192.0.2.1, 192.0.2.2"`, `" 192.0.2.1"`, `"192.0.2.1 "`, `"192.0.2.1 192.0.2.2"`, `"192.0.2.1;192.0.2.2"`,
		`"192.0.2.1\n"`, `"192.0.2.1\u0000"`, `"192.0.2"`, `"192.0.2.256"`, `"192.0.2.01"`, `"192.0.2.1/33"`, `"192.0.2.1/-1"`, `"192.0.2.1/"`, `"192.0.2.1/024"`, `"192.0.2.1/24/24"`, `"192.0.2.0/255.255.255.0"`,
		`"192.0.2.1-192.0.2.9"`, `"192.0.2.*"`, `"*"`, `"192.0.2.1:443"`, `"[2001:db8::1]"`, `"[2001:db8::1]:443"`, `"2001:db8::/129"`, `"2001:db8:::1"`, `"fe80::1%eth0"`, `"fe80::1%25eth0"`, `"fe80::%eth0/64"`, `"::ffff:192.0.2.1%eth0"`,
		`"::ffff:192.0.2.0/95"`, `"::ffff:0:0/64"`, `"localhost"`, `"partner.example.com"`, `"http://192.0.2.1"`, `"3221225985"`, `"0xc0000201"`, `"1.2.3.4.5"`, `"١٩٢.0.2.1"`, `"null"`,
		`["192.0.2.1"]`, `192`, `true`, `{"ip":"192.0.2.1"}`, `"` + list(33) + `"`, `"` + strings.Repeat("192.0.2.1,", 300) + `192.0.2.1"`, `"` + strings.Repeat("1", 3000) + `"`,
	} {
		rows = append(rows, unsound(fmt.Sprint("source_addresses/malformed_", i, "_", value[:min(len(value), 20)]), askOnBehalf(with(value), auth), "/data/attributes/sourceIp"))
	}
	a.run(t, append(rows, notPartners("source_addresses/after_the_bearer", askOnBehalf(with(`"x"`), bearer("gp_sandbox_x")))))
}

// A partner token that is bound to addresses is checked against the address of
// the connection, or the one that a trusted proxy reports.
func TestPartnerTokenAddresses(t *testing.T) {
	t.Parallel()
	calls := func(token string, headers ...string) map[string]call {
		return map[string]call{
			"token": askOnBehalf(onBehalfOf(sharedTwo, "cards"), append(headers, bearer(token))...), "orgs": get("/partners/orgs", append(headers, bearer(token))...),
			"exchange": ask(trade(token, sharedTwo), headers...),
		}
	}
	verdict := func(t *testing.T, a *alliance, name, token string, taken bool, headers ...string) {
		t.Helper()
		for path, c := range calls(token, headers...) {
			t.Run(name+"_"+path, func(t *testing.T) {
				r := a.send(t, c)
				switch {
				case taken && r.Status >= 300:
					t.Errorf("%d %s", r.Status, r.Body)
				case !taken && path == "exchange":
					refused("", call{}, "subject_token is not an active partner token").check(t, r)
				case !taken:
					notPartners("", call{}).check(t, r)
				}
			})
		}
	}
	bound := func(t *testing.T, a *alliance, ranges ...string) string {
		t.Helper()
		token, _ := a.partnerToken(t, hurdlr, map[string]any{"source_ips": ranges})
		return token
	}
	t.Run("direct", func(t *testing.T) {
		a := newAlliance(t)
		here, there := bound(t, a, "127.0.0.0/8", "::1"), bound(t, a, "192.0.2.0/24")
		verdict(t, a, "source_addresses/from_here", here, true)
		verdict(t, a, "source_addresses/by_its_mapped_form", bound(t, a, "::ffff:127.0.0.1"), true)
		verdict(t, a, "source_addresses/from_elsewhere", there, false)
		for _, h := range []string{"X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Client-IP: 192.0.2.1", "CF-Connecting-IP: 192.0.2.1", "True-Client-IP: 192.0.2.1"} {
			name, _, _ := strings.Cut(h, ":")
			verdict(t, a, "source_addresses/spoofed_"+name, there, false, h)
			verdict(t, a, "source_addresses/spoofed_away_"+name, here, true, h)
		}
	})
	t.Run("behind_a_proxy", func(t *testing.T) {
		a := newAlliance(t, func(c *config.Config) { c.Public.TrustedProxies = []string{"127.0.0.1/32", "10.0.0.0/8"} })
		here, there := bound(t, a, "127.0.0.1"), bound(t, a, "192.0.2.0/24")
		verdict(t, a, "source_addresses/proxied", there, true, "X-Forwarded-For: 192.0.2.1")
		verdict(t, a, "source_addresses/proxied_mapped", there, true, "X-Forwarded-For: ::ffff:192.0.2.1")
		verdict(t, a, "source_addresses/proxied_twice", there, true, "X-Forwarded-For: 192.0.2.1, 10.1.1.1")
		verdict(t, a, "source_addresses/proxied_from_elsewhere", there, false, "X-Forwarded-For: 203.0.113.1")
		verdict(t, a, "source_addresses/spoofed_before_the_proxy", there, false, "X-Forwarded-For: 192.0.2.1, 203.0.113.1")
		verdict(t, a, "source_addresses/the_proxy_is_not_the_caller", here, false, "X-Forwarded-For: 203.0.113.1")
	})
	t.Run("source_addresses/bound_and_introspected", func(t *testing.T) {
		a := newAlliance(t)
		token := bound(t, a, "192.0.2.0/24")
		generic := a.server(t, "generic", []store.TokenUse{store.UsePartner}, "")
		a.run(t, []row{
			wantInactive("source_addresses/not_said", about(token, basic(generic))),
			wantActive("source_addresses/said", form("/oauth/introspect", "source_ip=192.0.2.9&token="+token, basic(generic))),
			wantInactive("source_addresses/said_elsewhere", form("/oauth/introspect", "source_ip=192.0.3.9&token="+token, basic(generic))),
			wantActive("source_addresses/enforced", about(token, basic(a.api))),
		})
	})
}

// A token that a partner made is inactive for resource servers that have not
// declared that they can handle it.
func TestPartnerVisibility(t *testing.T) {
	t.Parallel()
	a := newAlliance(t)
	a.grant(t, hurdlr, sharedOne, grantedOne, map[string]any{"endpoints": []string{"GET /accounts"}})
	tokens := map[string]string{
		"partner":     a.token,
		"on_behalf":   a.onBehalf(t, a.token, sharedTwo, "cards"),
		"exchanged":   a.send(t, ask(trade(a.token, sharedTwo))).JSON(t)["access_token"].(string),
		"endpoints":   a.onBehalf(t, a.token, sharedOne, "accounts"),
		"addresses":   a.onBehalf(t, a.token, sharedTwo, "cards", `,"sourceIp":"192.0.2.0/24"`),
		"both":        a.onBehalf(t, a.token, sharedOne, "accounts", `,"sourceIp":"192.0.2.0/24"`),
		"of_a_client": a.world.token(t, a.app, ""),
	}
	onBehalf, partner := []store.TokenUse{store.UseOnBehalf}, []store.TokenUse{store.UsePartner}
	for _, s := range []struct {
		name     string
		uses     []store.TokenUse
		enforces []string
		sees     string
	}{
		{"generic", nil, nil, "of_a_client"},
		{"clients_only", []store.TokenUse{store.UseClient}, []string{"source_ip", "endpoints", "resources"}, "of_a_client"},
		{"customers_only", []store.TokenUse{store.UseCustomer}, []string{"source_ip", "endpoints", "resources"}, ""},
		{"partners_only", partner, []string{"source_ip", "endpoints"}, "partner"},
		{"on_behalf_only", onBehalf, nil, "on_behalf exchanged"},
		{"on_behalf_endpoints", onBehalf, []string{"endpoints"}, "on_behalf exchanged endpoints"},
		{"on_behalf_addresses", onBehalf, []string{"source_ip"}, "on_behalf exchanged addresses"},
		{"on_behalf_resources", onBehalf, []string{"resources"}, "on_behalf exchanged"},
		{"everything", everyUse, []string{"source_ip", "endpoints"}, "partner on_behalf exchanged endpoints addresses both of_a_client"},
	} {
		rs := a.server(t, s.name, s.uses, "", s.enforces...)
		for name, token := range tokens {
			t.Run("introspect_visibility/"+name+"_to_"+s.name, func(t *testing.T) {
				want := strings.Contains(" "+s.sees+" ", " "+name+" ")
				if got := a.introspect(t, rs, token); got != want {
					t.Errorf("active %v, want %v", got, want)
				}
			})
		}
		t.Run("source_addresses/a_matching_address_does_not_lift_endpoints_for_"+s.name, func(t *testing.T) {
			want := s.name == "on_behalf_endpoints" || s.name == "everything"
			if got := a.introspect(t, rs, tokens["both"], "&source_ip=192.0.2.1"); got != want {
				t.Errorf("active %v, want %v", got, want)
			}
		})
	}
	t.Run("introspect_members/partner", func(t *testing.T) {
		got := a.shown(t, a.api, a.token)
		for name, want := range map[string]any{
			"active": true, "token_use": "partner", "sub": "partner:" + hurdlr, "partner_id": hurdlr, "jti": a.id, "scope": "",
			"client_id": nil, "org_id": nil, "customer_id": nil, "act": nil, "aud": nil, "endpoints": nil,
		} {
			if name == "scope" && got[name] == nil { // or absent
				continue
			}
			if !equal(got[name], want) {
				t.Errorf("%s: %v, want %v", name, got[name], want)
			}
		}
		if exp, iat := got["exp"].(float64), got["iat"].(float64); exp-iat != 90*24*3600 {
			t.Errorf("the token lives for %v s", exp-iat)
		}
	})
	t.Run("introspect_unknown/no_longer_partner", func(t *testing.T) {
		for why, token := range a.badBearers(t) {
			if why != "client" && why != "customer" && why != "on_behalf" && why != "bound_to_other_addresses" && a.introspect(t, a.api, token) {
				t.Errorf("%s is active", why)
			}
		}
	})
}

// Partner and on-behalf tokens work only where they are meant to: not as client
// credentials, nor at endpoints for clients.
func TestPartnerTokensElsewhere(t *testing.T) {
	t.Parallel()
	b := newBank(t, func(c *config.Config) { c.Admin.Listen = "127.0.0.1:0" })
	a := &alliance{world: b.world}
	a.partner(t, hurdlr)
	a.grant(t, hurdlr, acme, grantedTwo)
	token, _ := a.partnerToken(t, hurdlr, nil)
	subject := b.world.token(t, b.backend, "")
	var rows []row
	for name, presented := range map[string]string{"partner": token, "on_behalf": a.onBehalf(t, token, acme, "customers cards")} {
		auth := bearer(presented)
		notOurs := func(name string, c call) row {
			return row{name: name, call: c, status: 401, code: "invalid_token", says: "not one of a client", header: map[string]string{"WWW-Authenticate": `Bearer realm="grantd", error="invalid_token"`}}
		}
		rows = append(rows,
			notOurs("introspect_right/as_"+name, about(subject, auth)),
			row{name: "introspect_itself/as_" + name, call: about(presented, auth), status: 401, code: "invalid_token"},
			notActive("customer_code_as_"+name, askCode(peter, `{"channel":"sms"}`, auth)),
			notActive("customer_token_as_"+name, askToken(peter, `{"scope":"cards"}`, auth)),
			failed("bearer_is_not_client_authentication/token_as_"+name, ask(grant, auth)),
			otherToken("revoke_self_other/as_"+name, revoke(subject, auth)),
			failed("wrong_secret/as_the_secret_of_a_client_"+name, ask(grant, basicOf("backend", presented))),
			failed("wrong_secret/as_the_secret_of_itself_"+name, ask(grant, basicOf(hurdlr, presented))),
			row{name: "revoke_anothers/client_" + name, call: revoke(presented, basic(b.backend)), status: 400, code: "unauthorized_client"},
			row{name: "revoke_anothers/resource_server_" + name, call: revoke(presented, basic(b.api)), status: 400, code: "unauthorized_client"},
			failed("revoke_authentication/without_a_client_"+name, revoke(presented)),
		)
		t.Run("admin_as_"+name, func(t *testing.T) {
			for _, path := range []string{"/clients", "/partners", "/partners/" + hurdlr, "/partners/" + hurdlr + "/tokens", "/audit"} {
				if status := adminOverTCP(t, b.world, path, presented); status != 401 {
					t.Errorf("%s: %d", path, status)
				}
			}
		})
	}
	b.run(t, rows)
	t.Run("revoke_anothers/still_active", func(t *testing.T) {
		every := b.server(t, "every", everyUse, "", "source_ip", "endpoints")
		if !b.introspect(t, every, token) {
			t.Error("the partner token is inactive")
		}
	})
	t.Run("revoke_anothers/a_revoked_partner_token_too", func(t *testing.T) {
		ended, id := a.partnerToken(t, hurdlr, nil)
		b.admin(t, "DELETE", "/partners/"+hurdlr+"/tokens/"+id, nil)
		row{status: 400, code: "unauthorized_client"}.check(t, b.send(t, revoke(ended, basic(b.backend))))
		done("made up", call{}).check(t, b.send(t, revoke(damaged(ended, len(ended)-3), basic(b.backend))))
	})
}

func adminOverTCP(t *testing.T, w *world, path, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Server.Server.URL("admin")+"/admin/v1"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return harness.Do(t, nil, req).Status
}
