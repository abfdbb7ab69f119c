package admin_test

import (
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// If a record is deleted during a PUT, the PUT creates it, unless If-Match
// demands that it exists. The audit has the outcome once.
func TestPutWhileItIsDeleted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind, title, path, target string
		first, next               object
	}{
		{"org", "Org", "/orgs/other", "org:other", object{"name": "Other"}, object{"name": "Another"}},
		{
			"customer", "Customer", "/customers/10001", "customer:10001",
			object{"org_id": "acme", "type": "individual", "phone": "+15555550137"}, object{"org_id": "acme", "type": "individual", "phone": "+15555550138"},
		},
		{"partner", "Partner", "/partners/plaid", "partner:plaid", object{"name": "Plaid", "scope": "cards"}, object{"name": "Plaid", "scope": "customers cards"}},
		{"grant", "Grant", "/partners/hurdlr/orgs/acme", "grant:hurdlr/acme", object{"scope": "cards"}, object{"scope": "customers cards"}},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			s, faulty, _ := faultyServer(t)
			putOrg(t, s, "acme", "Acme")
			putPartner(t, s, "hurdlr")
			deleteMeanwhile := func() { // before the next write reaches the store
				var once atomic.Bool
				faulty.Hook("Update"+tc.title, func() {
					if once.CompareAndSwap(false, true) {
						do(t, s, "DELETE", tc.path, nil, 204)
					}
				})
			}
			do(t, s, "PUT", tc.path, tc.first, 201)
			deleteMeanwhile()
			do(t, s, "PUT", tc.path, tc.next, 201)
			deleteMeanwhile()
			if r := changeIf(t, s, "PUT", tc.path, "*", tc.first); r.Status != 412 {
				t.Errorf("with If-Match: %d %s", r.Status, r.Body)
			}
			do(t, s, "GET", tc.path, nil, 404)
			want := []string{tc.kind + ".create", tc.kind + ".delete", tc.kind + ".create", tc.kind + ".delete", tc.kind + ".update precondition_failed"}
			if d := cmp.Diff(want, actions(t, s, tc.target)); d != "" {
				t.Error(d)
			}
		})
	}
}
