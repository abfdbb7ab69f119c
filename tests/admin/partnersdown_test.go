package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// If the store does not respond, the partner gets 503, never a refusal.
func TestPartnersWithoutTheStore(t *testing.T) {
	t.Parallel()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(e)
	s := harness.Start(t, harness.Options{Use: faulty})
	a := newAlliance(t, s)
	list := func() harness.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/partners/orgs", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+a.token)
		return harness.Do(t, nil, req)
	}
	exchange := func(org string) harness.Response {
		t.Helper()
		return s.Form(t, "/oauth/token", "", "", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {a.token},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "audience": {"org:" + org},
		})
	}
	down := func(what string, r harness.Response) {
		t.Helper()
		var body struct {
			Errors []struct{ Status, Code string }
		}
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil || r.Status != 503 || len(body.Errors) != 1 ||
			body.Errors[0].Status != "503" || body.Errors[0].Code != "temporarily_unavailable" {
			t.Errorf("%s: %d %s", what, r.Status, r.Body)
		}
		if r.Header.Get("Retry-After") == "" || r.Header.Get("Content-Type") != "application/vnd.api+json" {
			t.Errorf("%s: %v", what, r.Header)
		}
	}
	unavailable := errors.Join(errors.New("down"), store.ErrUnavailable)
	for i, tc := range []struct {
		method       string // of the store
		list, mint   bool   // whether these requests need the method
		introspected bool
	}{
		{"GetPartnerToken", true, true, true}, {"GetPartner", true, true, true}, {"GetGrant", false, true, false}, {"GetOrg", true, true, false},
		{"ListGrants", true, false, false}, {"PutToken", false, true, false}, {storetest.EveryMethod, true, true, true},
	} {
		// Each run creates a partner that is in no cache.
		t.Run(tc.method, func(t *testing.T) {
			next := fmt.Sprint("p", i)
			putPartner(t, s, next)
			putOrg(t, s, "o-"+next, "O")
			putGrant(t, s, next, "o-"+next, object{"scope": "cards"})
			a.token, a.tokenID = partnerToken(t, s, next)
			mint := func() harness.Response {
				return document(t, s, a.token, "/partners/token", "createOnBehalfToken", object{"orgId": "o-" + next, "scopes": "cards"})
			}
			faulty.Fail(tc.method, unavailable)
			if tc.list {
				down("the list", list())
			}
			if tc.mint {
				down("a token", mint())
				if r := exchange("o-" + next); r.Status != 503 || r.JSON(t)["error"] != "temporarily_unavailable" || r.Header.Get("Retry-After") == "" {
					t.Errorf("an exchange: %d %s", r.Status, r.Body)
				}
			}
			if tc.introspected {
				r := s.Form(t, "/oauth/introspect", "cards-api", a.rs["client_secret"].(string), url.Values{"token": {a.token}})
				if r.Status != 503 || r.Header.Get("Retry-After") == "" {
					t.Errorf("introspected: %d %s", r.Status, r.Body)
				}
			}
			faulty.Heal(tc.method)
			if r := list(); r.Status != 200 {
				t.Errorf("the list when the store is back: %d %s", r.Status, r.Body)
			}
			if r := mint(); r.Status != 201 {
				t.Errorf("a token when the store is back: %d %s", r.Status, r.Body)
			}
		})
	}
}
