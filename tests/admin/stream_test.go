package admin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

// openStream opens the stream of revocations as the resource server.
func openStream(t *testing.T, s *harness.Server, rs object, lastID string) *harness.Stream {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+"/oauth/revocations", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(rs["client_id"].(string), rs["client_secret"].(string))
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	return harness.OpenStream(t, nil, req)
}

// followed is what a cache keeps of a token.
type followed struct {
	Active   bool     `json:"active"`
	Keys     []string `json:"void_keys"`
	Position string   `json:"feed_position"`
}

func follow(t *testing.T, s *harness.Server, rs object, token string) (f followed) {
	t.Helper()
	r := s.Form(t, "/oauth/introspect", rs["client_id"].(string), rs["client_secret"].(string), url.Values{"token": {token}, "follow": {"true"}})
	if err := json.Unmarshal([]byte(r.Body), &f); err != nil || !f.Active {
		t.Fatalf("introspect: %v %s", err, r.Body)
	}
	return f
}

// endedBy reports whether the event makes a cached response unusable.
func (f followed) endedBy(e harness.Event) bool {
	var d struct{ Keys []string }
	_ = json.Unmarshal([]byte(e.Data), &d)
	return e.ID > f.Position && slices.ContainsFunc(d.Keys, func(k string) bool { return slices.Contains(f.Keys, k) })
}

// ending is a way to end a token: token makes one, and returns what ends it.
type ending struct {
	name  string
	token func(t *testing.T, id string) (token string, end func())
}

// TestEveryEndingIsInTheStream ends tokens of every kind in every way. Each time, the
// stream must name one of the token's void keys, later than the response that a cache
// keeps.
func TestEveryEndingIsInTheStream(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start(harness.Options{Edit: withCodes})
		rs := create(t, s, object{"client_id": "rs", "scope": "introspect", "token_uses": []string{"client", "customer", "on_behalf", "partner", "key"}, "enforces": []string{"endpoints", "resources"}})
		stream := openStream(t, s, rs, "")
		stream.Await(t, "registration", nil)
		stream.Await(t, "fresh", nil)
		for _, e := range slices.Concat(clientEndings(s), orgEndings(s), keyEndings(s), partnerEndings(s), customerEndings(s)) {
			token, end := e.token(t, strings.NewReplacer(" ", "-").Replace(e.name))
			cached := follow(t, s, rs, token)
			end()
			ev := stream.Await(t, "void", cached.endedBy)
			if active(t, s, rs, token) {
				t.Errorf("%s: the token is active after %v", e.name, ev)
			}
		}
	})
}

// clientToken makes a client and a token of it.
func clientToken(t *testing.T, s *harness.Server, spec object) (token string, c object) {
	t.Helper()
	c = create(t, s, spec)
	token, status := tokenFor(t, s, c["client_id"].(string), c["client_secret"].(string))
	if status != 200 {
		t.Fatalf("%v: token: %d", spec, status)
	}
	return token, c
}

// byAdmin is an ending of a token of a client by a call of the admin API, in whose path
// ID and SECRET are replaced.
func byAdmin(s *harness.Server, name, method, path string, body any, status int) ending {
	return ending{name, func(t *testing.T, id string) (string, func()) {
		token, c := clientToken(t, s, object{"client_id": id, "scope": "users:read users:write"})
		return token, func() {
			do(t, s, method, strings.NewReplacer("ID", id, "SECRET", c["secret_id"].(string)).Replace(path), body, status)
		}
	}}
}

func clientEndings(s *harness.Server) []ending {
	return []ending{
		byAdmin(s, "void tokens", "POST", "/clients/ID/void-tokens", nil, 200),
		byAdmin(s, "deactivate", "POST", "/clients/ID/deactivate", nil, 200),
		byAdmin(s, "delete", "DELETE", "/clients/ID", nil, 204),
		byAdmin(s, "narrow", "PATCH", "/clients/ID", object{"scope": "users:read"}, 200),
		byAdmin(s, "secret", "DELETE", "/clients/ID/secrets/SECRET?void_tokens=true", nil, 204),
		byAdmin(s, "void all", "POST", "/tokens/void-all", nil, 200),
		{"revoke", func(t *testing.T, id string) (string, func()) {
			token, c := clientToken(t, s, object{"client_id": id, "scope": "users:read"})
			return token, func() { s.Form(t, "/oauth/revoke", id, c["client_secret"].(string), url.Values{"token": {token}}) }
		}},
		{"revoke as operator", func(t *testing.T, id string) (string, func()) {
			token, _ := clientToken(t, s, object{"client_id": id, "scope": "users:read"})
			return token, func() { do(t, s, "POST", "/tokens/revoke", object{"token": token}, 200) }
		}},
		{"leak of the secret", func(t *testing.T, id string) (string, func()) {
			token, c := clientToken(t, s, object{"client_id": id, "scope": "users:read"})
			return token, func() { do(t, s, "POST", "/leaks", object{"credential": c["client_secret"]}, 200) }
		}},
	}
}

func orgEndings(s *harness.Server) (all []ending) {
	for _, how := range []struct {
		name, method, path string
		status             int
	}{
		{"void tokens of org", "POST", "/void-tokens", 200}, {"deactivate org", "POST", "/deactivate", 200},
	} {
		all = append(all, ending{how.name, func(t *testing.T, id string) (string, func()) {
			putOrg(t, s, id, "Org")
			token, _ := clientToken(t, s, object{"client_id": id, "scope": "users:read", "org_id": id})
			return token, func() { do(t, s, how.method, "/orgs/"+id+how.path, nil, how.status) }
		}})
	}
	return all
}

// keyEndings are of API keys, which are not tokens but records.
func keyEndings(s *harness.Server) (all []ending) {
	for _, how := range []struct {
		name, method, path string // KEY and ORG are replaced
		body               any
		status             int
	}{
		{"key", "DELETE", "/keys/KEY", nil, 204}, {"rotate key", "POST", "/keys/KEY/rotate", object{"grace": "0s"}, 201},
		{"keys of org", "POST", "/orgs/ORG/void-tokens", nil, 200}, {"deactivate org of key", "POST", "/orgs/ORG/deactivate", nil, 200},
		{"delete org of key", "DELETE", "/orgs/ORG", nil, 204}, {"all keys", "POST", "/tokens/void-all", nil, 200},
	} {
		all = append(all, ending{how.name, func(t *testing.T, id string) (string, func()) {
			putOrg(t, s, id, "Org")
			made := do(t, s, "POST", "/orgs/"+id+"/keys", object{"owner": "2", "name": "d", "scope": "cards"}, 201)
			path := strings.NewReplacer("KEY", made["key_id"].(string), "ORG", id).Replace(how.path)
			return made["key"].(string), func() { do(t, s, how.method, path, how.body, how.status) }
		}})
	}
	return all
}

// partnerEndings are of partner tokens, which are records too, and of the tokens that
// are made with them.
func partnerEndings(s *harness.Server) (all []ending) {
	for _, how := range []struct {
		name, method, path string // TOKEN, PARTNER and ORG are replaced
		body               any
		status             int
		onlyChild          bool // the partner token lives on
	}{
		{"partner token", "DELETE", "/partners/PARTNER/tokens/TOKEN", nil, 204, false}, {"void tokens of partner", "POST", "/partners/PARTNER/void-tokens", nil, 200, false},
		{"deactivate partner", "POST", "/partners/PARTNER/deactivate", nil, 200, false}, {"delete partner", "DELETE", "/partners/PARTNER", nil, 204, false},
		{"all partner tokens", "POST", "/tokens/void-all", nil, 200, false},
		{"grant", "DELETE", "/partners/PARTNER/orgs/ORG", nil, 204, true}, {"narrow grant", "PUT", "/partners/PARTNER/orgs/ORG", object{"scope": "customers"}, 200, true},
		{"narrow partner", "PUT", "/partners/PARTNER", object{"name": "Hurdlr", "scope": "customers"}, 200, true}, {"org of grant", "POST", "/orgs/ORG/void-tokens", nil, 200, true},
	} {
		make := func(t *testing.T, id string) (own, child string, end func()) {
			putOrg(t, s, id, "Org")
			putPartner(t, s, id)
			putGrant(t, s, id, id, object{"scope": "customers cards"})
			own, tokenID := partnerToken(t, s, id)
			child, _ = onBehalf(t, s, own, id, "cards")
			path := strings.NewReplacer("TOKEN", tokenID, "PARTNER", id, "ORG", id).Replace(how.path)
			return own, child, func() { do(t, s, how.method, path, how.body, how.status) }
		}
		all = append(all, ending{how.name + " for org", func(t *testing.T, id string) (string, func()) {
			_, child, end := make(t, id)
			return child, end
		}}, ending{how.name + " for exchanged", func(t *testing.T, id string) (string, func()) {
			own, _, end := make(t, id)
			return exchange(t, s, own, id), end
		}})
		if !how.onlyChild {
			all = append(all, ending{how.name, func(t *testing.T, id string) (string, func()) {
				own, _, end := make(t, id)
				return own, end
			}})
		}
	}
	return all
}

// exchange returns a token for the org that is made with a token of a partner
// (RFC 8693).
func exchange(t *testing.T, s *harness.Server, own, org string) string {
	t.Helper()
	r := s.Form(t, "/oauth/token", "", "", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {own},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "audience": {"org:" + org}, "scope": {"cards"},
	})
	token, _ := r.JSON(t)["access_token"].(string)
	if token == "" {
		t.Fatalf("exchange: %d %s", r.Status, r.Body)
	}
	return token
}

func customerEndings(s *harness.Server) (all []ending) {
	for _, how := range []struct {
		name, method, path string // CUSTOMER is replaced; "": the customer signs out
		status             int
	}{
		{"void tokens of customer", "POST", "/customers/CUSTOMER/void-tokens", 200}, {"deactivate customer", "POST", "/customers/CUSTOMER/deactivate", 200},
		{"delete customer", "DELETE", "/customers/CUSTOMER", 204}, {"sign out", "", "", 0},
		{"backend of customer", "POST", "/clients/CUSTOMER/void-tokens", 200},
	} {
		all = append(all, ending{how.name, func(t *testing.T, id string) (string, func()) {
			putOrg(t, s, id, "Org")
			backend, _ := clientToken(t, s, object{"client_id": id, "scope": backendScope, "org_id": id})
			do(t, s, "PUT", "/customers/"+id, person(id), 201)
			token, status := customerToken(t, s, backend, id, "customers")
			if status != 201 {
				t.Fatalf("%s: customer token: %d", id, status)
			}
			return token, func() {
				if how.path != "" {
					do(t, s, how.method, strings.Replace(how.path, "CUSTOMER", id, 1), nil, how.status)
					return
				}
				req, err := http.NewRequest(http.MethodPost, s.URL+"/oauth/revoke", strings.NewReader(url.Values{"token": {token}}.Encode()))
				if err != nil {
					t.Fatal(err)
				}
				req.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Bearer " + token}}
				if r := harness.Do(t, nil, req); r.Status != 200 {
					t.Fatalf("sign out: %d %s", r.Status, r.Body)
				}
			}
		}})
	}
	return all
}
