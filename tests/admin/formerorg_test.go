package admin_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/tests/harness"
)

// An org that is deleted and made again is another tenant: clients and customers
// that were left behind by the former one are not its own. The race of a client
// or customer that is made while the org is deleted leaves some behind.
func TestFormerOrg(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(harness.Options{Edit: func(c *config.Config) { c.Customers.SandboxCode = "000001" }})
		rs := newRS(t, s)
		putOrg(t, s, "acme", "Acme")
		old := create(t, s, object{"client_id": "old", "org_id": "acme", "scope": backendScope})["client_secret"].(string)
		do(t, s, "PUT", "/customers/10001", person("acme"), 201)
		held, status := tokenFor(t, s, "old", old)
		if status != 200 {
			t.Fatalf("token: %d", status)
		}
		leftBehind(t, s, "acme")
		if active(t, s, rs, held) {
			t.Error("the token of the former org's client is active")
		}
		putOrg(t, s, "acme", "Another Acme")
		secret := create(t, s, object{"client_id": "new", "org_id": "acme", "scope": backendScope})["client_secret"].(string)
		do(t, s, "PUT", "/customers/20001", person("acme"), 201)

		grant := url.Values{"grant_type": {"client_credentials"}}
		wrong := s.Form(t, "/oauth/token", "old", "wrong", grant)
		r := s.Form(t, "/oauth/token", "old", old, grant)
		if r.Status != 401 || r.Body != wrong.Body {
			t.Errorf("the former org's client gets %d %s, a wrong secret %s", r.Status, r.Body, wrong.Body)
		}
		if !strings.Contains(s.Logs.String(), `"cause":"org_replaced"`) {
			t.Error("the log does not say why the right secret was refused")
		}
		token, status := tokenFor(t, s, "new", secret)
		if status != 200 {
			t.Fatalf("the new org's client: %d", status)
		}
		if _, status := customerToken(t, s, token, "10001", "cards"); status != 404 {
			t.Errorf("the former org's customer: %d", status)
		}
		if _, status := customerToken(t, s, token, "20001", "cards"); status != 201 {
			t.Errorf("the new org's customer: %d", status)
		}
		r = s.AdminDo(t, "PUT", "/customers/10001", person("acme"))
		if r.Status != 400 || !strings.Contains(r.Body, "former org") {
			t.Errorf("changing the former org's customer: %d %s", r.Status, r.Body)
		}
		do(t, s, "DELETE", "/customers/10001", nil, 204)
		do(t, s, "PUT", "/customers/10001", person("acme"), 201)
		if _, status := customerToken(t, s, token, "10001", "cards"); status != 201 {
			t.Errorf("the customer, made again: %d", status)
		}
	})
}

// leftBehind deletes the org alone, as grantd did before it refused to.
func leftBehind(t *testing.T, s *harness.Server, org string) {
	t.Helper()
	if err := s.Orgs().Registry.Delete(t.Context(), audit.Actor{Name: "test"}, org, 0); err != nil {
		t.Fatal(err)
	}
}
