package harness

import (
	"net/http"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/clients"
)

// CustomerToken makes a customer of the org, and returns a token for them. No name in the
// scope may need a verification code. The client that requests it is called backend.
func (s *Server) CustomerToken(t testing.TB, org, customer, scope string) string {
	t.Helper()
	backend := s.NewClient(t, "backend", "customers customer-token-write "+scope, func(c *clients.NewSpec) { c.OrgID = org })
	person := map[string]any{"org_id": org, "type": "individual", "phone": "+15555550142"}
	if r := s.AdminDo(t, http.MethodPut, "/customers/"+customer, person); r.Status != http.StatusCreated {
		t.Fatal(r)
	}
	r := s.jsonAPI(t, "/customers/"+customer+"/token", s.Token(t, backend, ""), `{"data":{"type":"customerToken","attributes":{"scope":"`+scope+`"}}}`)
	return r.JSON(t)["data"].(map[string]any)["attributes"].(map[string]any)["token"].(string)
}

// OnBehalfToken makes a partner with a grant of the org for the scope and the
// endpoints, and returns a token on behalf of the org that works from the source
// addresses. The org must exist.
func (s *Server) OnBehalfToken(t testing.TB, partner, org, scope, sources string, endpoints ...string) string {
	t.Helper()
	do := func(method, path string, body any) Response {
		t.Helper()
		r := s.AdminDo(t, method, path, body)
		if r.Status >= http.StatusMultipleChoices {
			t.Fatalf("%s %s: %v", method, path, r)
		}
		return r
	}
	do(http.MethodPut, "/partners/"+partner, map[string]any{"name": partner, "scope": scope})
	do(http.MethodPut, "/partners/"+partner+"/orgs/"+org, map[string]any{"scope": scope, "endpoints": endpoints})
	token := do(http.MethodPost, "/partners/"+partner+"/tokens", map[string]any{"name": "test"}).JSON(t)["token"].(string)
	r := s.jsonAPI(t, "/partners/token", token,
		`{"data":{"type":"createOnBehalfToken","attributes":{"orgId":"`+org+`","scopes":"`+scope+`","sourceIp":"`+sources+`"}}}`)
	return r.JSON(t)["data"].(map[string]any)["attributes"].(map[string]any)["token"].(string)
}

// jsonAPI posts a document of JSON:API, which must create something.
func (s *Server) jsonAPI(t testing.TB, path, bearer, document string) Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/vnd.api+json"}, "Authorization": {"Bearer " + bearer}}
	r := Do(t, nil, req)
	if r.Status != http.StatusCreated {
		t.Fatalf("%s: %v", path, r)
	}
	return r
}
