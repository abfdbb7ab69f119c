package service_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/refusal"
	"github.com/grantd/grantd/tests/harness"
)

// TestEachAbsentCustomerHasACause checks that the log says why there is no such customer
// for the caller, and nothing on the wire.
func TestEachAbsentCustomerHasACause(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		admin := func(method, path string, body any) {
			t.Helper()
			if r := s.AdminDo(t, method, path, body); r.Status >= 300 {
				t.Fatalf("%s %s: %s", method, path, r)
			}
		}
		of := func(org string) map[string]any {
			return map[string]any{"org_id": org, "type": "individual", "phone": "+15555550136"}
		}
		for _, org := range []string{"acme", "beta"} {
			admin("PUT", "/orgs/"+org, map[string]any{"name": org})
		}
		for id, org := range map[string]string{"10001": "acme", "10002": "beta", "20000000": "acme"} {
			admin("PUT", "/customers/"+id, of(org))
		}
		inOrg := func(id, org string) string {
			return s.Token(t, s.NewClient(t, id, "customers", func(c *clients.NewSpec) { c.OrgID = org }), "")
		}
		backend, closing, alone := inOrg("backend", "acme"), inOrg("closing", "beta"), s.Token(t, s.NewClient(t, "alone", "customers"), "")
		admin("POST", "/customers/10001/deactivate", nil)
		admin("POST", "/customers/20000000/deactivate", nil)
		bodies := map[string]bool{}
		for _, row := range []struct {
			token, path, id string
			cause           refusal.Cause
		}{
			{backend, "10001", "10001", refusal.CustomerDeactivated},
			{backend, "20000000", "20000000", refusal.CustomerDeactivated},
			{backend, "10003", "10003", refusal.CustomerUnknown},
			{backend, "15555550136", "", refusal.CustomerUnknown}, // it may be a phone number
			{backend, "gs_sandbox_Ab3dEf7h_x", "", refusal.CustomerUnknown},
			{backend, "10002", "10002", refusal.CustomerOfOtherOrg},
			{closing, "10001", "10001", refusal.CustomerOfOtherOrg},
			{alone, "10001", "10001", refusal.TokenWithoutOrg},
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/customers/"+row.path+"/token/verification",
				strings.NewReader(`{"data":{"type":"customerTokenVerification","attributes":{"channel":"sms"}}}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/vnd.api+json")
			req.Header.Set("Authorization", "Bearer "+row.token)
			r := harness.Do(t, nil, req)
			bodies[r.Body] = true
			l := logLine(t, s, "request", r.Header.Get("X-Request-Id"))
			id, _ := l["customer_id"].(string)
			if r.Status != http.StatusNotFound || l["cause"] != string(row.cause) || id != row.id {
				t.Errorf("%s of %s: %d %v", row.cause, row.path, r.Status, l)
			}
		}
		if len(bodies) != 1 {
			t.Errorf("a caller can tell why: %v", bodies)
		}
	})
}
