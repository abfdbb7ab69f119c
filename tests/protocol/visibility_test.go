package protocol_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
)

const cards, accounts = "https://cards.example", "https://accounts.example"

// server creates a resource server that declares what it handles.
func (w *world) server(t *testing.T, id string, uses []store.TokenUse, resource string, enforces ...string) clients.Created {
	t.Helper()
	return w.client(t, id, "introspect", func(s *clients.NewSpec) {
		s.TokenUses, s.Resource, s.Enforces = &uses, &resource, &enforces
	})
}

var everyUse = []store.TokenUse{store.UseClient, store.UseCustomer, store.UseOnBehalf, store.UsePartner}

// A token is active only for resource servers that have declared that they can
// handle it. Each row is a token with the resource servers for which it is
// active.
func TestVisibility(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	servers := map[string]clients.Created{
		"plain":     w.rs,
		"customers": w.server(t, "customers", []store.TokenUse{store.UseClient, store.UseCustomer}, ""),
		"cards":     w.server(t, "cards", nil, cards),
		"every":     w.server(t, "every", everyUse, ""),
		"endpoints": w.server(t, "endpoints", everyUse, "", "endpoints"),
		"resources": w.server(t, "resources", everyUse, "", "resources"),
		"addresses": w.server(t, "addresses", everyUse, "", "source_ip"),
		"all":       w.server(t, "all", everyUse, cards, "source_ip", "endpoints", "resources"),
	}
	customer := func(r *store.Token) { r.Use, r.CustomerID = store.UseCustomer, "10001" }
	onBehalf := func(r *store.Token) {
		r.Use, r.OrgID, r.PartnerID, r.PartnerTID, r.ClientID, r.SecretID = store.UseOnBehalf, "h5D8B5gyHtk=", "acme", "Zz9", "", ""
	}
	for _, tok := range []struct {
		name   string
		edit   func(*store.Token)
		active []string
	}{
		{"plain", func(*store.Token) {}, []string{"plain", "customers", "cards", "every", "endpoints", "resources", "addresses", "all"}},
		{"aud_cards", func(r *store.Token) { r.Audience = []string{cards} }, []string{"cards", "all"}},
		{"aud_both", func(r *store.Token) { r.Audience = []string{accounts, cards} }, []string{"cards", "all"}},
		{"aud_accounts", func(r *store.Token) { r.Audience = []string{accounts} }, nil},
		{"aud_empty_string", func(r *store.Token) { r.Audience = []string{cards + "/"} }, nil},
		{"customer", customer, []string{"customers", "every", "endpoints", "resources", "addresses", "all"}},
		{"customer_for_cards", func(r *store.Token) { customer(r); r.Audience = []string{cards} }, []string{"all"}},
		{"customer_with_resources", func(r *store.Token) { customer(r); r.Resources = cardsOf("12") }, []string{"resources", "all"}},
		{"on_behalf", onBehalf, []string{"every", "endpoints", "resources", "addresses", "all"}},
		{"on_behalf_with_endpoints", func(r *store.Token) { onBehalf(r); r.Endpoints = []string{"GET /cards"} }, []string{"endpoints", "all"}},
		{"on_behalf_with_addresses", func(r *store.Token) { onBehalf(r); r.SourceIPs = []string{"192.0.2.0/24"} }, []string{"addresses", "all"}},
		{"on_behalf_with_everything", func(r *store.Token) {
			onBehalf(r)
			r.SourceIPs, r.Endpoints, r.Resources = []string{"192.0.2.0/24"}, []string{"GET /cards"}, cardsOf("12")
		}, []string{"all"}},
		{"partner", func(r *store.Token) {
			r.Use, r.PartnerID, r.PartnerTID, r.ClientID, r.SecretID = store.UsePartner, "acme", "Zz9", "", ""
		},
			[]string{"every", "endpoints", "resources", "addresses", "all"}},
		{"client_with_endpoints", func(r *store.Token) { r.Endpoints = []string{"GET /cards"} }, []string{"endpoints", "all"}},
		{"client_with_resources", func(r *store.Token) { r.Resources = cardsOf("12") }, []string{"resources", "all"}},
		{"client_with_addresses", func(r *store.Token) { r.SourceIPs = []string{"192.0.2.1"} }, []string{"addresses", "all"}},
	} {
		token := w.planted(t, tok.edit)
		expected := map[string]bool{}
		for _, s := range tok.active {
			expected[s] = true
		}
		for name, rs := range servers {
			t.Run("introspect_visibility/"+tok.name+"_to_"+name, func(t *testing.T) {
				if got := w.introspect(t, rs, token); got != expected[name] {
					t.Errorf("active %v, want %v", got, expected[name])
				}
			})
		}
	}
}

// A resource server that does not enforce source_ips may send the caller's
// address as source_ip instead.
func TestSourceIP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	enforcing := w.server(t, "enforcing", everyUse, "", "source_ip")
	token := w.planted(t, func(r *store.Token) {
		r.SourceIPs = []string{"192.0.2.0/24", "198.51.100.7", "2001:db8:1::/48", "::ffff:203.0.113.0/120"}
	})
	free := w.token(t, w.app, "")
	from := func(ip string) call {
		return form("/oauth/introspect", "token="+token+"&source_ip="+url.QueryEscape(ip), basic(w.rs))
	}
	var rows []row
	for ip, active := range map[string]bool{
		"192.0.2.0": true, "192.0.2.255": true, "192.0.1.255": false, "192.0.3.0": false,
		"198.51.100.7": true, "198.51.100.6": false, "198.51.100.8": false,
		"::ffff:192.0.2.1": true, "::ffff:c000:201": true, "::ffff:192.0.3.1": false, "::192.0.2.1": false,
		"2001:db8:1::": true, "2001:db8:1:ffff:ffff:ffff:ffff:ffff": true, "2001:DB8:1::A": true,
		"2001:db8:2::": false, "2001:db8:0:ffff:ffff:ffff:ffff:ffff": false, "::": false, "::1": false,
		"203.0.113.0": true, "203.0.113.255": true, "203.0.114.0": false, "::ffff:203.0.113.9": true,
		"2001:db8:1::1%eth0": true, "0.0.0.0": false, "255.255.255.255": false,
	} {
		if active {
			rows = append(rows, wantActive("source_addresses/from_"+ip, from(ip)))
		} else {
			rows = append(rows, wantInactive("source_addresses/from_"+ip, from(ip)))
		}
	}
	for _, ip := range []string{"192.0.2.1 ", " 192.0.2.1", "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1/32", "192.0.2.0/24",
		"192.0.2.1:443", "[2001:db8:1::1]", "192.0.2.1,192.0.2.2", "localhost", "3221225985", "0xc0000201", "2001:db8:1:::1", "١٩٢.0.2.1"} {
		rows = append(rows, refused("introspect_visibility/invalid_source_ip_"+ip, from(ip), "source_ip is not an IP address"))
	}
	w.run(t, append(rows,
		wantInactive("introspect_visibility/source_ip_not_sent", about(token, basic(w.rs))),
		wantInactive("introspect_visibility/source_ip_empty", from("")),
		wantInactive("source_addresses/forwarded_for_is_not_used", about(token, basic(w.rs), "X-Forwarded-For: 192.0.2.1")),
		wantActive("introspect_visibility/enforcing_server_without_it", about(token, basic(enforcing))),
		wantActive("introspect_visibility/enforcing_server_judges_itself", form("/oauth/introspect", "source_ip=10.0.0.1&token="+token, basic(enforcing))),
		wantActive("introspect_visibility/token_without_addresses", form("/oauth/introspect", "source_ip=10.0.0.1&token="+free, basic(w.rs))),
		wantInactive("introspect_visibility/source_ip_alone_opens_nothing", form("/oauth/introspect", "source_ip=192.0.2.1&token="+w.planted(t, func(r *store.Token) {
			r.SourceIPs, r.Endpoints = []string{"192.0.2.0/24"}, []string{"GET /cards"}
		}), basic(w.rs))),
		wantInactive("introspect_visibility/addresses_that_cannot_be_read_match_nothing", form("/oauth/introspect", "source_ip=192.0.2.1&token="+w.planted(t, func(r *store.Token) {
			r.SourceIPs = []string{"192.0.2.1-192.0.2.9", "*", ""}
		}), basic(w.rs))),
		refused("introspect_repeated/source_ip_twice", form("/oauth/introspect", "source_ip=192.0.2.1&source_ip=192.0.2.1&token="+token, basic(w.rs)), "is repeated"),
		refused("introspect_visibility/invalid_source_ip_for_any_token", form("/oauth/introspect", "source_ip=x&token="+free, basic(w.rs)), "source_ip"),
		failed("introspect_authentication_first/authentication_before_source_ip", form("/oauth/introspect", "source_ip=x&token="+free)),
	))
}

// What introspection returns about tokens of the other uses.
func TestFieldsOfOtherUses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.server(t, "all", everyUse, cards, "source_ip", "endpoints", "resources")
	for _, use := range []struct {
		name   string
		edit   func(*store.Token)
		want   map[string]any
		absent []string
	}{
		{"customer", func(r *store.Token) {
			r.Use, r.OrgID, r.CustomerID, r.Resources = store.UseCustomer, "o1", "10001", cardsOf("12", "13")
			r.AuthorizedUser = "20"
			r.AuthTime, r.AMR, r.Upgradable = time.Unix(1687436422, 0), []string{"otp", "sms"}, "cards-write"
		}, map[string]any{"token_use": "customer", "sub": "customer:10001", "customer_id": "10001", "authorized_user_id": "20", "org_id": "o1", "client_id": "app",
			"resources": []any{map[string]any{"type": "card", "ids": []any{"12", "13"}}},
			"auth_time": 1687436422.0, "amr": []any{"otp", "sms"}},
			[]string{"upgradable_scope", "partner_id", "source_ips", "endpoints", "aud", "act"}},
		{"on_behalf", func(r *store.Token) {
			r.Use, r.OrgID, r.PartnerID, r.PartnerTID, r.ClientID, r.SecretID = store.UseOnBehalf, "o1", "acme", "Zz9", "", ""
			r.SourceIPs, r.Endpoints, r.Audience = []string{"192.0.2.0/24"}, []string{"GET /cards"}, []string{cards}
		}, map[string]any{"token_use": "on_behalf", "sub": "org:o1", "org_id": "o1", "partner_id": "acme", "aud": cards,
			"source_ips": []any{"192.0.2.0/24"}, "endpoints": []any{"GET /cards"}, "act": map[string]any{"sub": "partner:acme"}},
			[]string{"client_id", "customer_id", "authorized_user_id", "resources", "auth_time", "amr"}},
		{"partner", func(r *store.Token) {
			r.Use, r.PartnerID, r.PartnerTID, r.ClientID, r.SecretID = store.UsePartner, "acme", "Zz9", "", ""
		}, map[string]any{"token_use": "partner", "sub": "partner:acme", "partner_id": "acme"},
			[]string{"client_id", "customer_id", "org_id", "aud", "act"}},
	} {
		t.Run("introspect_members/"+use.name, func(t *testing.T) {
			got := w.send(t, about(w.planted(t, use.edit), basic(all))).JSON(t)
			for name, want := range use.want {
				if !equal(got[name], want) {
					t.Errorf("%s: %v, want %v", name, got[name], want)
				}
			}
			for _, name := range use.absent {
				if v, ok := got[name]; ok {
					t.Errorf("unexpected %s: %v", name, v)
				}
			}
		})
	}
}

// cardsOf returns a restriction to some cards.
func cardsOf(ids ...string) []store.Resource { return []store.Resource{{Type: "card", IDs: ids}} }
