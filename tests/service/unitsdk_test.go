package service_test

import (
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// TestUnitSDK runs tests/service/node/unit: Unit's own library for Node makes customer
// tokens, with grantd as its server.
func TestUnitSDK(t *testing.T) {
	if testing.Short() {
		t.Skip("it installs from the npm registry")
	}
	installNode(t)
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(harness.Options{Edit: func(c *config.Config) {
			c.Scopes.Preset = "unit"
			c.Customers.SandboxCode = "000001"
		}})
		s.AdminDo(t, "PUT", "/orgs/acme", map[string]string{"name": "Acme"})
		r := s.AdminDo(t, "PUT", "/customers/10002", map[string]any{
			"org_id": "acme", "type": "business", "phone": "+15555550137",
			"authorized_users": []map[string]string{{"id": "20", "name": "Jane", "phone": "+15555550138"}},
		})
		if r.Status != 201 {
			t.Fatal(r)
		}
		backend := s.NewClient(t, "backend", "customers cards cards-write customer-token-write", func(n *clients.NewSpec) { n.OrgID = "acme" })
		api := s.NewClient(t, "api", "introspect", func(n *clients.NewSpec) { n.TokenUses = &[]store.TokenUse{store.UseCustomer} })
		out := runNode(t, nodeTimeout, []string{
			"ISSUER=" + s.URL, "CUSTOMER=10002", "BACKEND_SECRET=" + backend.ClientSecret, "API_SECRET=" + api.ClientSecret,
		}, "node", "--test", "--test-reporter=tap", "unit/customer-tokens.js")
		if !strings.Contains(out, "\n# pass 4\n") || !strings.Contains(out, "\n# fail 0\n") {
			t.Errorf("not every test passed:\n%s", out)
		}
	})
}
