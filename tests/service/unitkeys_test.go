package service_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// TestUnitOrgTokens runs org-tokens.js in tests/service/node/unit: with Unit's own library,
// a client of an org makes, lists and revokes an org API token, and makes a customer
// token.
func TestUnitOrgTokens(t *testing.T) {
	if testing.Short() {
		t.Skip("it installs from the npm registry")
	}
	installNode(t)
	const code = "000001"
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(edits(func(c *config.Config) { c.Customers.SandboxCode = code }))
		s.AdminDo(t, http.MethodPut, "/orgs/acme", map[string]any{"name": "Acme"})
		s.AdminDo(t, http.MethodPut, "/customers/"+customer, map[string]any{"org_id": "acme", "type": "individual", "phone": "+15555550136"})
		const scope = "customers cards cards-write customer-token-write api-tokens api-tokens-write"
		c := s.NewClient(t, "backend", scope, func(n *clients.NewSpec) { n.OrgID = "acme" })
		rs := s.NewClient(t, "rs", "introspect", func(n *clients.NewSpec) {
			n.TokenUses = &[]store.TokenUse{store.UseClient, store.UseCustomer, store.UseKey}
			n.Enforces = &[]string{"source_ip", "resources"}
		})
		out := runNode(t, nodeTimeout, []string{
			"ISSUER=" + s.URL, "RESOURCE=" + resource, "CLIENT_ID=" + c.ClientID, "CLIENT_SECRET=" + c.ClientSecret,
			"RS_ID=" + rs.ClientID, "RS_SECRET=" + rs.ClientSecret,
			"UNIT_TOKEN=" + s.Token(t, c, scope), "UNIT_CUSTOMER=" + customer, "UNIT_CODE=" + code,
		}, "node", "--test", "--test-reporter=tap", "unit/org-tokens.js")
		if !strings.Contains(out, "\n# pass 3\n") {
			t.Errorf("not every test ran:\n%s", out)
		}
	})
}
