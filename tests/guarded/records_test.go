package guarded_test

import (
	"net/http"
	"net/url"
	"testing"
)

const (
	clientScope  = "cards cards-write customers customer-token-write"
	partnerScope = "cards"
)

// newClient makes a client that gets tokens.
func (l *lab) newClient(t *testing.T, id string) (c client) {
	t.Helper()
	l.must(t, func() error {
		return l.replicas[0].admin(http.MethodPost, "/clients", object{"client_id": id, "scope": clientScope}, &c)
	})
	return c
}

// issue gets a token from a replica.
func issue(r *replica, c client) (*token, error) {
	var out struct {
		Token string `json:"access_token"`
	}
	err := r.form("/oauth/token", c, url.Values{"grant_type": {"client_credentials"}}, &out)
	return &token{value: out.Token}, err
}

// tokens gets n tokens of the client.
func (l *lab) tokens(t *testing.T, c client, n int) (all []*token) {
	t.Helper()
	for i := range n {
		l.must(t, func() error {
			k, err := issue(l.replicas[i%len(l.replicas)], c)
			if err == nil {
				all = append(all, k)
			}
			return err
		})
	}
	return all
}

// revoke revokes a token as its client.
func revoke(r *replica, c client, k *token) error {
	return r.form("/oauth/revoke", c, url.Values{"token": {k.value}}, nil)
}

// family is an org with a client, a customer and an API key, and a partner that may act
// for the org, with a token of each.
type family struct {
	id             string // of all of them
	client         client
	partnerTokenID string
	keyID          string

	token, customer, behalf, key *token
}

// newFamily makes a family.
func (l *lab) newFamily(id string) (*family, error) {
	r := l.replicas[0]
	f := &family{id: id}
	var partner struct {
		Token string `json:"token"`
		ID    string `json:"token_id"`
	}
	var key struct {
		Key string `json:"key"`
		ID  string `json:"key_id"`
	}
	for _, step := range []struct {
		method, path string
		body         object
		into         any
	}{
		{"PUT", "/orgs/" + id, object{"name": "Org"}, nil},
		{"POST", "/clients", object{"client_id": id, "org_id": id, "scope": clientScope}, &f.client},
		{"PUT", "/customers/" + id, object{"org_id": id, "type": "individual", "phone": "+15555550136"}, nil},
		{"PUT", "/partners/" + id, object{"name": "Partner", "scope": partnerScope}, nil},
		{"POST", "/partners/" + id + "/tokens", object{"name": "it"}, &partner},
		{"PUT", "/partners/" + id + "/orgs/" + id, object{"scope": partnerScope}, nil},
		{"POST", "/orgs/" + id + "/keys", object{"owner": "it", "name": "it", "scope": partnerScope}, &key},
	} {
		if err := r.admin(step.method, step.path, step.body, step.into); err != nil {
			return nil, err
		}
	}
	f.partnerTokenID, f.keyID, f.key = partner.ID, key.ID, &token{value: key.Key}
	var err error
	if f.token, err = issue(r, f.client); err != nil {
		return nil, err
	}
	customer, err := r.document(f.token.value, "/customers/"+id+"/token", "customerToken", object{"scope": "cards"})
	if err != nil {
		return nil, err
	}
	behalf, err := r.document(partner.Token, "/partners/token", "createOnBehalfToken", object{"orgId": id, "scopes": "cards"})
	f.customer, f.behalf = &token{value: customer}, &token{value: behalf}
	return f, err
}

func (f *family) all() []*token { return []*token{f.token, f.customer, f.behalf, f.key} }
