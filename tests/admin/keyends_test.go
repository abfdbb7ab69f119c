package admin_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

// TestKeysEndWithWhatMadeThem checks on both stores which commands about a client or a
// secret end the API keys that were made with it, and that a leak says which they were.
func TestKeysEndWithWhatMadeThem(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := create(t, s, object{"client_id": "rs", "scope": "introspect", "token_uses": []string{"key"}})
		do(t, s, "PUT", "/orgs/acme", object{"name": "Acme"}, 201)
		const scope = "cards api-tokens-write"
		for name, row := range map[string]struct {
			end   func(id, secretID, secret, token string) object
			lives bool
			said  bool
		}{
			"deactivate": {end: func(id, _, _, _ string) object { return do(t, s, "POST", "/clients/"+id+"/deactivate", nil, 200) }},
			"void":       {end: func(id, _, _, _ string) object { return do(t, s, "POST", "/clients/"+id+"/void-tokens", nil, 200) }},
			"delete":     {end: func(id, _, _, _ string) object { return do(t, s, "DELETE", "/clients/"+id, nil, 204) }},
			"secret": {end: func(id, sid, _, _ string) object {
				return do(t, s, "DELETE", "/clients/"+id+"/secrets/"+sid+"?void_tokens=true", nil, 204)
			}},
			"secretonly": {end: func(id, sid, _, _ string) object { return do(t, s, "DELETE", "/clients/"+id+"/secrets/"+sid, nil, 204) }, lives: true},
			"leak": {end: func(_, _, secret, _ string) object {
				return do(t, s, "POST", "/leaks", object{"credential": secret}, 200)
			}, said: true},
			"leaktoken": {end: func(_, _, _, token string) object {
				return do(t, s, "POST", "/leaks", object{"credential": token}, 200)
			}, said: true},
		} {
			c := create(t, s, object{"client_id": name, "org_id": "acme", "scope": scope})
			secret, _ := c["client_secret"].(string)
			secretID, _ := c["secret_id"].(string)
			token, _ := s.Form(t, "/oauth/token", name, secret, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}).JSON(t)["access_token"].(string)
			req, err := http.NewRequest(http.MethodPost, s.URL+"/users/2/api-tokens", strings.NewReader(`{"data":{"type":"apiToken","attributes":{"description":"d","scope":"cards"}}}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Content-Type", "application/vnd.api+json")
			r := harness.Do(t, nil, req)
			data, _ := r.JSON(t)["data"].(object)
			key := data["attributes"].(object)["token"].(string)
			said := row.end(name, secretID, secret, token)
			if got := active(t, s, rs, key); got != row.lives {
				t.Errorf("%s: the key is active: %t", name, got)
			}
			if list, _ := said["keys_ended"].([]any); slices.Contains(list, data["id"]) != row.said {
				t.Errorf("%s: the response has the keys %v", name, list)
			}
			x := do(t, s, "POST", "/tokens/explain", object{"token": key}, 200)
			if _, found := x["last_use"]; !found || x["created_by"] != "client:"+name || (x["void_of"] == nil) != row.lives {
				t.Errorf("%s: %v", name, x)
			}
		}
	})
}
