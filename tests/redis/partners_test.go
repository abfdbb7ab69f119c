package redis_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/harness"
)

// partner is a partner with a token and the grants of some orgs.
type partner struct {
	id, token, tokenID string
}

type body = map[string]any

// newAllies is newPair with a resource server that accepts the tokens of
// partners, and an on-behalf token that must stay active.
func newAllies(t testing.TB) *pair {
	t.Helper()
	addr := redistest.Start(t).Addr
	p := &pair{a: start(t, addr), b: start(t, addr)}
	r := admin(t, p.a, http.StatusCreated, http.MethodPost, "/clients", body{
		"client_id": "rs", "scope": "introspect", "token_uses": []string{"client", "on_behalf", "partner"},
	})
	if err := json.Unmarshal([]byte(r.Body), &p.rs); err != nil {
		t.Fatal(err)
	}
	return p
}

// newPartner creates the orgs and a partner with a grant of each of them.
func newPartner(t testing.TB, s *harness.Server, id string, orgs ...string) *partner {
	t.Helper()
	admin(t, s, http.StatusCreated, http.MethodPut, "/partners/"+id, body{"name": id, "scope": "cards customers"})
	p := &partner{id: id}
	for _, org := range orgs {
		admin(t, s, http.StatusCreated, http.MethodPut, "/orgs/"+org, body{"name": org})
		p.granted(t, s, org)
	}
	p.renew(t, s)
	return p
}

func (p *partner) granted(t testing.TB, s *harness.Server, org string) {
	t.Helper()
	admin(t, s, http.StatusCreated, http.MethodPut, "/partners/"+p.id+"/orgs/"+org, body{"scope": "cards customers"})
}

// renew gives the partner a new token.
func (p *partner) renew(t testing.TB, s *harness.Server) {
	t.Helper()
	r := admin(t, s, http.StatusCreated, http.MethodPost, "/partners/"+p.id+"/tokens", body{"name": "reporting"}).JSON(t)
	p.token, p.tokenID = r["token"].(string), r["token_id"].(string)
}

// postDocument posts a JSON:API document with the attributes.
func postDocument(t testing.TB, s *harness.Server, bearer, path, kind, attributes string) harness.Response {
	t.Helper()
	document := fmt.Sprintf(`{"data":{"type":%q,"attributes":%s}}`, kind, attributes)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/vnd.api+json"}, "Authorization": {"Bearer " + bearer}}
	return harness.Do(t, nil, req)
}

// ask requests a token on behalf of the org from s.
func (p *partner) ask(t testing.TB, s *harness.Server, org string) (token string, a harness.Response) {
	t.Helper()
	a = postDocument(t, s, p.token, "/partners/token", "createOnBehalfToken", fmt.Sprintf(`{"orgId":%q,"scopes":"cards"}`, org))
	var made struct {
		Data struct{ Attributes struct{ Token string } }
	}
	if a.Status == http.StatusCreated {
		if err := json.Unmarshal([]byte(a.Body), &made); err != nil {
			t.Fatal(err)
		}
	}
	return made.Data.Attributes.Token, a
}

func (p *partner) mint(t testing.TB, s *harness.Server, org string) string {
	t.Helper()
	token, a := p.ask(t, s, org)
	if a.Status != http.StatusCreated {
		t.Fatalf("a token on behalf of %s: %v", org, a)
	}
	return token
}

// parting is one way to end a partner's right to act for an org.
type parting struct {
	name         string
	method, path string // with PARTNER, ORG and TOKEN in place of ids
	body         any
	want         int // status
	then         int // status of a later request for a token
	token        bool
}

var partings = []parting{
	{"withdraw the grant", "DELETE", "/partners/PARTNER/orgs/ORG", nil, 204, 403, true},
	{"grant other scopes", "PUT", "/partners/PARTNER/orgs/ORG", body{"scope": "customers"}, 200, 403, true},
	{"take the scope from the partner", "PUT", "/partners/PARTNER", body{"name": "P", "scope": "customers"}, 200, 403, true},
	{"revoke the partner token", "DELETE", "/partners/PARTNER/tokens/TOKEN", nil, 204, 401, false},
	{"revoke all partner tokens", "DELETE", "/partners/PARTNER/tokens", nil, 204, 401, false},
	{"revoke by jti", "POST", "/tokens/revoke", body{"jti": "TOKEN"}, 200, 401, false},
	{"void-tokens of the partner", "POST", "/partners/PARTNER/void-tokens", nil, 200, 401, false},
	{"deactivate the partner", "POST", "/partners/PARTNER/deactivate", nil, 200, 401, false},
	{"delete the partner", "DELETE", "/partners/PARTNER", nil, 204, 401, false},
	{"deactivate the org", "POST", "/orgs/ORG/deactivate", nil, 200, 403, true},
	{"delete the org", "DELETE", "/orgs/ORG", nil, 204, 403, true},
}

// TestPartnersEndAtTheOther checks that once the call has returned, the other
// server neither accepts such a token nor issues one.
func TestPartnersEndAtTheOther(t *testing.T) {
	t.Parallel()
	p := newAllies(t)
	bystander := newPartner(t, p.a, "bystander", "quiet")
	p.bystander = bystander.mint(t, p.b, "quiet")
	for i, e := range partings {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			p.each(t, func(t *testing.T, at, other *harness.Server) {
				id, org := fmt.Sprintf("p%d-%p", i, at), fmt.Sprintf("o%d-%p", i, at)
				parts(t, p, newPartner(t, at, id, org, org+"-spared"), e, at, other, org)
			})
		})
	}
	t.Cleanup(func() {
		for _, s := range []*harness.Server{p.a, p.b} {
			mustBeActive(t, s, p.rs, p.bystander, "a token that nothing happened to")
			mustBeActive(t, s, p.rs, bystander.token, "a partner token that nothing happened to")
		}
	})
}

func parts(t *testing.T, p *pair, who *partner, e parting, at, other *harness.Server, org string) {
	names := []string{"cached at both", "cached at the other", "cached nowhere", "made at the other"}
	tokens := make([]string, len(names))
	for i := range names {
		maker := at
		if i == 3 {
			maker = other
		}
		tokens[i] = who.mint(t, maker, org)
	}
	spared := who.mint(t, other, org+"-spared")
	for i, servers := range [][]*harness.Server{{at, other}, {other}} {
		for _, s := range servers {
			mustBeActive(t, s, p.rs, tokens[i], names[i])
			mustBeActive(t, s, p.rs, who.token, "the partner token")
		}
	}
	names, tokens = append(names, "partner token"), append(tokens, who.token)

	is := strings.NewReplacer("PARTNER", who.id, "ORG", org, "TOKEN", who.tokenID)
	sent := e.body
	if b, ok := e.body.(body); ok && b["jti"] != nil {
		sent = body{"jti": who.tokenID}
	}
	admin(t, at, e.want, e.method, is.Replace(e.path), sent)

	for _, s := range []*harness.Server{other, at} {
		if _, a := who.ask(t, s, org); a.Status != e.then {
			t.Errorf("a token on behalf of the org: %v, want %d", a, e.then)
		}
		for i, token := range tokens {
			if i == len(tokens)-1 && e.token {
				mustBeActive(t, s, p.rs, token, names[i])
				continue
			}
			mustBeInactive(t, s, p.rs, token, names[i])
		}
	}
	if strings.Contains(e.name, "org") || strings.Contains(e.name, "grant") {
		mustBeActive(t, other, p.rs, spared, "a token on behalf of another org")
		return
	}
	mustBeInactive(t, other, p.rs, spared, "a token on behalf of another org")
}

// TestPartnersBeginAtTheOther checks that a new grant works at the other server
// at once, even if that has refused a request before.
func TestPartnersBeginAtTheOther(t *testing.T) {
	t.Parallel()
	p := newAllies(t)
	p.each(t, func(t *testing.T, at, other *harness.Server) {
		who := newPartner(t, at, fmt.Sprintf("p-%p", at), fmt.Sprintf("o-%p", at))
		for i := range 4 {
			org := fmt.Sprintf("o-%p-%d", at, i)
			admin(t, at, 201, http.MethodPut, "/orgs/"+org, body{"name": org})
			if _, a := who.ask(t, other, org); a.Status != 403 {
				t.Fatalf("an org that did not agree: %v", a)
			}
			who.granted(t, at, org)
			mustBeActive(t, at, p.rs, who.mint(t, other, org), "a token of a new grant")

			// Withdrawn at one server and granted again at the other.
			admin(t, at, 204, http.MethodDelete, "/partners/"+who.id+"/orgs/"+org, nil)
			who.granted(t, other, org)
			mustBeActive(t, other, p.rs, who.mint(t, at, org), "a token of what was granted again")
			mustBeActive(t, at, p.rs, who.mint(t, other, org), "a token of what was granted again")

			who.renew(t, at)
			mustBeActive(t, other, p.rs, who.token, "a new partner token")
			mustBeActive(t, at, p.rs, who.mint(t, other, org), "a token of a new partner token")
			admin(t, other, 204, http.MethodDelete, "/partners/"+who.id+"/tokens/"+who.tokenID, nil)
			who.renew(t, other)
		}
	})
}
