package admin_test

import (
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

// TestRotationIsTakenBack checks on both stores that an extension and an undone
// rotation reach authentication at once, that the undone secret ends with its tokens,
// and that a leaked secret gets no more time.
func TestRotationIsTakenBack(t *testing.T) {
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		s := start()
		rs := create(t, s, object{"client_id": "rs", "scope": "introspect"})
		c := create(t, s, object{"client_id": "billing", "scope": "users:read"})
		first, firstID := c["client_secret"].(string), c["secret_id"].(string)
		r := do(t, s, "POST", "/clients/billing/secrets", object{"grace": "1h"}, 201)
		second := r["client_secret"].(string)
		older := r["older_secrets"].([]any)
		if len(older) != 1 || older[0].(object)["secret_id"] != firstID || older[0].(object)["expires_at"] != r["previous_expires_at"] {
			t.Errorf("older secrets: %v", r)
		}
		fresh, _ := tokenFor(t, s, "billing", second)
		undone := do(t, s, "POST", "/clients/billing/secrets/undo-rotation", nil, 200)
		if undone["ended_secret_id"] != r["secret_id"] || undone["restored"].([]any)[0].(object)["expires_at"] != nil {
			t.Errorf("undone: %v", undone)
		}
		if _, status := tokenFor(t, s, "billing", second); status != 401 || active(t, s, rs, fresh) {
			t.Errorf("the undone secret: %d, its token is active: %t", status, active(t, s, rs, fresh))
		}
		if _, status := tokenFor(t, s, "billing", first); status != 200 {
			t.Errorf("the first secret: %d", status)
		}
		r = do(t, s, "POST", "/clients/billing/secrets", object{"grace": "1h"}, 201)
		extended := do(t, s, "POST", "/clients/billing/secrets/"+firstID+"/extend", object{"for": "2d"}, 200)
		if at := do(t, s, "GET", "/clients/billing/secrets", nil, 200)["secrets"].([]any)[0].(object); at["expires_at"] != extended["expires_at"] || at["expires_at"] == r["previous_expires_at"] {
			t.Errorf("extended: %v, listed: %v", extended, at)
		}
		do(t, s, "POST", "/leaks", object{"credential": first}, 200)
		do(t, s, "POST", "/clients/billing/secrets/"+firstID+"/extend", object{"for": "3d"}, 409)
		do(t, s, "POST", "/clients/billing/secrets/"+firstID+"/extend", object{"for": "soon"}, 400)
		do(t, s, "POST", "/clients/billing/secrets/"+firstID+"/extend", object{}, 400)
		do(t, s, "POST", "/clients/billing/secrets/none/extend", object{"for": "3d"}, 404)
		do(t, s, "POST", "/clients/billing/secrets/undo-rotation", nil, 409)
		if _, status := tokenFor(t, s, "billing", first); status != 401 {
			t.Errorf("the leaked secret: %d", status)
		}
	})
}
