package admin_test

import (
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

// A list of keys is right at once after each change of the org, on both stores.
func TestKeysAfterChangesOfTheOrg(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		putOrg(t, s, "acme", "Acme")
		makeKey := func() string {
			k := do(t, s, "POST", "/orgs/acme/keys", object{"owner": "2", "name": "n", "scope": "cards"}, 201)
			if k["state"] != "active" || k["ended_at"] != nil {
				t.Errorf("a new key: %v", k)
			}
			return k["key_id"].(string)
		}
		state := func(when, id, want string) {
			t.Helper()
			if k := do(t, s, "GET", "/keys/"+id, nil, 200); k["state"] != want || (k["ended_at"] != nil) != (want == "ended") {
				t.Errorf("%s: %v, want %s", when, k, want)
			}
			found := false
			for _, k := range do(t, s, "GET", "/keys?org_id=acme&state=all", nil, 200)["keys"].([]any) {
				found = found || k.(object)["key_id"] == id && k.(object)["state"] == want
			}
			if !found {
				t.Errorf("%s: the list has no key %s that is %s", when, id, want)
			}
		}
		old := makeKey()
		state("at first", old, "active")
		do(t, s, "POST", "/orgs/acme/void-tokens", nil, 200)
		state("after void-tokens", old, "ended")
		second := makeKey()
		state("made after it", second, "active")
		do(t, s, "POST", "/orgs/acme/deactivate", nil, 200)
		state("after the deactivation", second, "ended")
		do(t, s, "POST", "/orgs/acme/keys", object{"owner": "2", "name": "n", "scope": "cards"}, 409)
		do(t, s, "POST", "/orgs/acme/reactivate", nil, 200)
		third := makeKey()
		state("made after the reactivation", third, "active")
		state("made before it", second, "ended")
		do(t, s, "POST", "/orgs/nope/keys", object{"owner": "2", "name": "n", "scope": "cards"}, 404)
		do(t, s, "GET", "/keys?org_id=nope", nil, 404)
		do(t, s, "GET", "/orgs/nope/keys", nil, 404)
		do(t, s, "GET", "/keys?state=deactivated", nil, 400)
		do(t, s, "POST", "/signing-keys/rotate", nil, 200)
	})
}
