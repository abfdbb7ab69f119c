package admin_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// faultyServer starts a server whose store can be made to fail. It also returns
// the store underneath.
func faultyServer(t *testing.T) (*harness.Server, *storetest.Faulty, *embedded.Store) {
	t.Helper()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(e)
	return harness.Start(t, harness.Options{Use: faulty}), faulty, e
}

var errDown = errors.Join(errors.New("down"), store.ErrUnavailable)

// If a deactivation was written but could not be announced, reactivating still
// ends the tokens: it restores the principal, never its tokens.
func TestDeactivationThatWasNotAnnounced(t *testing.T) {
	t.Parallel()
	s, faulty, _ := faultyServer(t)
	a := newAlliance(t, s)
	create(t, s, object{"client_id": "billing", "scope": "users:read", "org_id": "acme"})
	secret := do(t, s, "POST", "/clients/billing/secrets", object{}, 201)["client_secret"].(string)
	for _, path := range []string{"/partners/hurdlr", "/clients/billing", "/orgs/acme"} {
		if path == "/partners/hurdlr" {
			a.renew()
		}
		held := []string{s.Form(t, "/oauth/token", "billing", secret, url.Values{"grant_type": {"client_credentials"}}).JSON(t)["access_token"].(string)}
		if path != "/clients/billing" {
			held = append(held, a.mint("acme"))
		}
		if path == "/partners/hurdlr" {
			held = held[1:]
		}
		a.wants("before: "+path, true, held...)
		faulty.Fail("AppendFeed", errDown)
		do(t, s, "POST", path+"/deactivate", nil, 503)
		faulty.Heal("AppendFeed")
		do(t, s, "POST", path+"/reactivate", nil, 200)
		a.wants("reactivated: "+path, false, held...)
		if path == "/partners/hurdlr" {
			a.renew()
		}
	}
}

// void-all ends partner tokens at once, even if their records cannot be written.
// It returns 503 until they are.
func TestVoidAllWithAFailingStore(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"UpdatePartner", "ListPartners", "AppendFeed"} {
		t.Run(method, func(t *testing.T) {
			s, faulty, _ := faultyServer(t)
			a := newAlliance(t, s)
			token := a.mint("acme")
			faulty.Fail(method, errDown)
			do(t, s, "POST", "/tokens/void-all", nil, 503)
			faulty.Heal(method)
			if method != "AppendFeed" {
				a.wants("the records failed", false, a.token, token)
				a.refused("the records failed", "acme", 401)
			}
			do(t, s, "POST", "/tokens/void-all", nil, 200)
			a.wants("again", false, a.token, token)
			s.Clock.Add(afterTheFeed)
			a.rs = create(t, s, object{"client_id": "later", "scope": "introspect", "token_uses": []string{"partner"}})
			a.wants("after the feed has dropped the entry", false, a.token)
		})
	}
}

// The store may lose its newest writes in a failover. Then the feed's entry still
// ends a revoked partner token.
func TestRevokedPartnerTokenWithAnOldRecord(t *testing.T) {
	t.Parallel()
	s, _, under := faultyServer(t)
	a := newAlliance(t, s)
	before, err := under.Partners().Get(t.Context(), "hurdlr")
	if err != nil {
		t.Fatal(err)
	}
	do(t, s, "DELETE", "/partners/hurdlr/tokens/"+a.tokenID, nil, 204)
	now, err := under.Partners().Get(t.Context(), "hurdlr")
	if err != nil {
		t.Fatal(err)
	}
	before.Version = now.Version
	if err := under.Partners().Update(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	do(t, s, "PUT", "/partners/hurdlr", object{"name": "Hurdlr Inc.", "scope": partnerScope}, 200) // removes the record from the cache
	a.wants("with an old record", false, a.token)
	a.refused("with an old record", "acme", 401)
}

// A credential that an operator pasted in place of an id is not kept.
func TestCredentialInPlaceOfAnID(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	a := newAlliance(t, s)
	for _, path := range []string{"/partners/", "/clients/", "/orgs/", "/customers/", "/partners/hurdlr/orgs/"} {
		do(t, s, "DELETE", path+a.token, nil, 404)
	}
	for _, path := range []string{"/partners/", "/clients/", "/orgs/", "/customers/"} {
		do(t, s, "POST", path+a.token+"/void-tokens", nil, 404)
	}
	if r := s.AdminDo(t, "PUT", "/orgs/"+a.token, object{"name": "pasted"}); r.Status != 400 {
		t.Errorf("an org of that id: %d %s", r.Status, r.Body)
	}
	audit := s.AdminDo(t, "GET", "/audit?limit=500", nil).Body
	if strings.Contains(audit, a.token) || strings.Contains(s.Logs.String(), a.token) {
		t.Error("the audit or the log holds the credential")
	}
	if !strings.Contains(audit, `"partner:?"`) {
		t.Errorf("the audit has no event of the request: %s", audit)
	}
}

// A page of orgs names only those that agree, even in the link to the next page.
func TestOrgsThatAgreedNoMore(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	a := newAlliance(t, s)
	for _, org := range []string{"secret-1", "secret-2", "zeta"} {
		putOrg(t, s, org, org)
		putGrant(t, s, "hurdlr", org, object{"scope": "cards"})
	}
	do(t, s, "POST", "/orgs/secret-1/deactivate", nil, 200)
	do(t, s, "DELETE", "/orgs/secret-2", nil, 204)
	var seen []string
	for next := "/partners/orgs?page[size]=1"; next != ""; {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+next, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+a.token)
		r := harness.Do(t, nil, req)
		if r.Status != 200 || strings.Contains(r.Body, "secret") {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		var page struct {
			Data []struct {
				Attributes struct{ OrgID string }
			}
			Links struct{ Next string }
		}
		if err := json.Unmarshal([]byte(r.Body), &page); err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Data {
			seen = append(seen, d.Attributes.OrgID)
		}
		next = page.Links.Next
	}
	if got := strings.Join(seen, " "); got != "acme other zeta" {
		t.Errorf("orgs %q", got)
	}
	shown := s.AdminDo(t, "GET", "/partners/hurdlr/orgs", nil).Body
	if strings.Count(shown, `"state":"active"`) != 3 || strings.Count(shown, `"state":"org_de`) != 2 {
		t.Errorf("shown %s", shown)
	}
}

// The end of a grant must be a time that JSON can hold: years have four digits.
func TestGrantUntilTheEndOfTime(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	newAlliance(t, s)
	r := s.AdminDo(t, "PUT", "/partners/hurdlr/orgs/acme", object{"scope": "cards", "until": "9999-12-31T23:59:59-02:00"})
	if r.Status != 400 || !strings.Contains(r.Body, `"field":"until"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}
