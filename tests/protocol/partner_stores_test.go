package protocol_test

import (
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// A partner lists orgs and gets tokens, and every way to end them works, on both
// stores.
func TestPartnersOnEachStore(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		a := &alliance{world: startWorld(t, start, harness.Options{})}
		a.agree(t)
		t.Run("orgs", func(t *testing.T) {
			r := a.send(t, get("/partners/orgs?page[size]=1", bearer(a.token)))
			first := `{"data":[{"type":"org","attributes":{"orgId":"h5D8B5gyHtk=","orgName":"Shared Client 2"}}],"links":{"next":"/partners/orgs?page%5Bafter%5D=h5D8B5gyHtk%3D\u0026page%5Bsize%5D=1"}}`
			if r.Status != 200 || r.Body != first {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
		for name, end := range map[string]func(t *testing.T){
			"on_behalf_ends/partner_token": func(t *testing.T) { a.admin(t, "DELETE", "/partners/"+hurdlr+"/tokens/"+a.id, nil) },
			"on_behalf_ends/grant":         func(t *testing.T) { a.admin(t, "DELETE", "/partners/"+hurdlr+"/orgs/"+sharedTwo, nil) },
			"on_behalf_ends/partner":       func(t *testing.T) { a.admin(t, "POST", "/partners/"+hurdlr+"/void-tokens", nil) },
			"on_behalf_ends/org":           func(t *testing.T) { a.admin(t, "POST", "/orgs/"+sharedTwo+"/void-tokens", nil) },
		} {
			t.Run(name, func(t *testing.T) {
				a.grant(t, hurdlr, sharedTwo, grantedTwo)
				a.token, a.id = a.partnerToken(t, hurdlr, nil)
				made := a.onBehalf(t, a.token, sharedTwo, "customers cards", `,"sourceIp":"192.0.2.0/24"`)
				exchanged := a.send(t, ask(trade(a.token, sharedTwo))).JSON(t)["access_token"].(string)
				both := func() []bool { return []bool{a.introspect(t, a.api, made), a.introspect(t, a.api, exchanged)} }
				if got := both(); !equal(got, []bool{true, true}) {
					t.Fatalf("before: active %v", got)
				}
				end(t)
				if got := both(); !equal(got, []bool{false, false}) {
					t.Errorf("active %v", got)
				}
			})
		}
	})
}

// Redis holds the record of a partner token, never the token.
func TestPartnerTokensInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := &alliance{world: startWorld(t, func(o ...harness.Options) *harness.Server { return harness.Start(t, o...) },
		harness.Options{Edit: func(c *config.Config) { harness.OnRedis(server.Addr)(c) }})}
	a.agree(t)
	a.onBehalf(t, a.token, sharedTwo, "cards")
	granted("", call{}).check(t, a.send(t, ask(trade(a.token, sharedTwo))))
	t.Run("tokens_are_hashed/raw_partner_token_not_in_redis", func(t *testing.T) {
		dump := dialRedis(t, server.Addr).dump()
		if !strings.Contains(dump, a.id) {
			t.Errorf("%d bytes without the record of the token: this test looks in the wrong place", len(dump))
		}
		a.holdsNoSecret(t, "Redis", dump)
	})
}
