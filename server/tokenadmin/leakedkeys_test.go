package tokenadmin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

// A token is mostly found after it has expired. A report ends the keys that were made with
// it also then, however long ago.
func TestLeakOfAnExpiredTokenEndsItsKeys(t *testing.T) {
	for _, later := range []time.Duration{25 * time.Hour, 10 * 24 * time.Hour} {
		s := harness.Start(t)
		s.AdminDo(t, http.MethodPut, "/orgs/acme", map[string]any{"name": "Acme"})
		const scope = "cards api-tokens-write"
		token := s.Token(t, s.NewClient(t, "backend", scope, func(n *clients.NewSpec) { n.OrgID = "acme" }), scope)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/users/2/api-tokens",
			strings.NewReader(`{"data":{"type":"apiToken","attributes":{"description":"d","scope":"cards"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/vnd.api+json")
		made, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		made.Body.Close()
		if made.StatusCode != http.StatusCreated {
			t.Fatalf("status %d", made.StatusCode)
		}
		s.Clock.Add(later)
		leak := s.AdminDo(t, "POST", "/leaks", map[string]any{"credential": token})
		if leak.Status != 200 || leak.JSON(t)["ended"] != true || leak.JSON(t)["keys_ended"] == nil {
			t.Errorf("after %s: %d %s", later, leak.Status, leak.Body)
		}
		if keys := s.AdminDo(t, "GET", "/orgs/acme/keys", nil); strings.Contains(keys.Body, `"active"`) {
			t.Errorf("after %s: %s", later, keys.Body)
		}
	}
}
