package moving

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

// tokenInfo is a response of GET /oauth/token/info.
type tokenInfo struct {
	Status    int            `json:"status"`
	Challenge string         `json:"challenge"`
	Body      map[string]any `json:"body"`
}

// GET /oauth/token/info responds with every member that Doorkeeper's does, each of the
// same type and, where both describe the same token, of the same value.
func TestTokenInfo(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs Rails")
	}
	run, _ := newShop(t, "plain")
	var theirs struct {
		Active, Revoked, None tokenInfo
		UID                   string
	}
	run("bin/rails runner fill.rb")
	if err := json.Unmarshal([]byte(run("bin/rails runner info.rb")), &theirs); err != nil || theirs.Active.Status != http.StatusOK || len(theirs.Active.Body) == 0 {
		t.Fatalf("%v: %+v", err, theirs)
	}
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		billing := s.NewClient(t, theirs.UID, "users:read users:write")
		token := s.Token(t, billing, "users:read users:write")
		ask := func(header string) (info tokenInfo) {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/oauth/token/info", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			r := harness.Do(t, http.DefaultClient, req)
			return tokenInfo{r.Status, r.Header.Get("WWW-Authenticate"), r.JSON(t)}
		}
		ours := ask("Bearer " + token)
		if ours.Status != theirs.Active.Status {
			t.Errorf("status %d", ours.Status)
		}
		compareMembers(t, "", theirs.Active.Body, ours.Body)
		for _, name := range []string{"scope", "application", "resource_owner_id"} {
			if got, want := fmt.Sprint(ours.Body[name]), fmt.Sprint(theirs.Active.Body[name]); got != want {
				t.Errorf("%s is %s, and Doorkeeper's is %s", name, got, want)
			}
		}
		if r := s.Form(t, "/oauth/revoke", billing.ClientID, billing.ClientSecret, url.Values{"token": {token}}); r.Status != http.StatusOK {
			t.Fatal(r)
		}
		for what, c := range map[string]struct{ theirs, ours tokenInfo }{"revoked": {theirs.Revoked, ask("Bearer " + token)}, "no token": {theirs.None, ask("")}} {
			if c.theirs.Status != c.ours.Status || c.ours.Body["error"] != c.theirs.Body["error"] || c.theirs.Challenge == "" || c.ours.Challenge == "" {
				t.Errorf("%s: %+v, and Doorkeeper's is %+v", what, c.ours, c.theirs)
			}
			delete(c.theirs.Body, "state") // neither RFC 6750 nor RFC 6749 has it
			compareMembers(t, what+": ", c.theirs.Body, c.ours.Body)
		}
	})
}

// compareMembers fails for each member of Doorkeeper's that is absent or has another type.
func compareMembers(t *testing.T, at string, theirs, ours map[string]any) {
	t.Helper()
	for name, want := range theirs {
		got, ok := ours[name]
		if !ok || fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			t.Errorf("%s%s is %T (there: %v), and Doorkeeper's is %T", at, name, got, ok, want)
		}
		if inner, ok := want.(map[string]any); ok {
			of, _ := got.(map[string]any)
			compareMembers(t, at+name+".", inner, of)
		}
	}
}
