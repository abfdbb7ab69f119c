package redis_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

// revokeSelf has the token end itself at s, without client credentials.
func revokeSelf(t testing.TB, s *harness.Server, token string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/oauth/revoke", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Bearer " + token}}
	if a := harness.Do(t, nil, req); a.Status != http.StatusOK {
		t.Fatalf("revocation by the token itself: %v", a)
	}
}

// holder is one token that ends itself, and the token that was made from it.
type holder struct{ token, made string }

// newHolders returns a holder for each use of tokens: the one with the name "partner"
// is kept in a record.
func newHolders(t *testing.T, s *harness.Server, id string) map[string]holder {
	t.Helper()
	org := id + "-org"
	app := s.NewClient(t, id+"-app", "cards customers customer-token-write", func(n *clients.NewSpec) { n.OrgID = org })
	admin(t, s, 201, http.MethodPut, "/customers/"+id, body{"org_id": org, "type": "individual", "phone": "+15555550136"})
	customer := func(bearer string) string {
		a := postDocument(t, s, bearer, "/customers/"+id+"/token", "customerToken", `{"scope":"cards"}`)
		if a.Status != http.StatusCreated {
			t.Fatalf("a customer token: %v", a)
		}
		_, rest, _ := strings.Cut(a.Body, `"token":"`)
		token, _, _ := strings.Cut(rest, `"`)
		return token
	}
	backend := s.Token(t, app, "")
	who := newPartner(t, s, id+"-partner", id+"-granted")
	other := newPartner(t, s, id+"-other", id+"-other-granted") // holders must not end one another
	return map[string]holder{
		"client":    {backend, customer(backend)},
		"customer":  {customer(s.Token(t, app, "")), ""},
		"on_behalf": {other.mint(t, s, id+"-other-granted"), ""},
		"partner":   {who.token, who.mint(t, s, id+"-granted")},
	}
}

// TestHoldersEndTheirTokensAtTheOther checks that a token of any use that ends itself at
// one server is inactive at the other, which has it in its cache, and so is what was
// made from it.
func TestHoldersEndTheirTokensAtTheOther(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr
	p := &pair{a: start(t, addr), b: start(t, addr)}
	p.rs = p.a.NewClient(t, "rs", "introspect", func(n *clients.NewSpec) {
		n.TokenUses = &[]store.TokenUse{store.UseClient, store.UseCustomer, store.UseOnBehalf, store.UsePartner}
	})
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		for use, h := range newHolders(t, at, fmt.Sprintf("c-%p", at)) {
			tokens := []string{h.token}
			if h.made != "" {
				tokens = append(tokens, h.made)
			}
			for _, token := range tokens {
				mustBeActive(t, at, p.rs, token, use)
				mustBeActive(t, other, p.rs, token, use)
			}
			revokeSelf(t, at, h.token)
			for _, token := range tokens {
				mustBeInactive(t, at, p.rs, token, use)
				poll.Await(t, staleness, use+" at the other", func() string {
					if a := introspect(t, other, p.rs, token); !a.Inactive() {
						return a.Body
					}
					return ""
				})
			}
			revokeSelf(t, other, h.token) // it has ended
		}
	})
}
