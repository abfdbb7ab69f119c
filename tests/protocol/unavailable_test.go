package protocol_test

import (
	"strings"
	"testing"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/tests/harness"
)

// If the store is unreachable, the response is 503 with Retry-After, never 401
// and never inactive. A malformed token is still inactive: that needs no store.
func TestStoreUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := func() string { return w.token(t, w.app, "") }
	bearerRS := w.token(t, w.rs, "introspect")
	freshID := 0
	// fresh is a client that is in no cache.
	fresh := func(scope string) clients.Created {
		freshID++
		return w.client(t, "fresh"+strings.Repeat("x", freshID), scope)
	}
	cached := token()
	w.introspect(t, w.rs, cached)
	unavailable := func(name string, c call) row {
		return row{name: name, call: c, status: 503, code: "temporarily_unavailable", header: map[string]string{"Retry-After": "1"}}
	}
	for _, group := range []struct {
		method string
		rows   []row
	}{
		{"GetClient", []row{
			unavailable("no_token_without_store/token", ask(grant, basic(fresh(appScope)))),
			unavailable("no_token_without_store/token_wrong_secret", ask(grant, basicOf(fresh(appScope).ClientID, wrong))),
			unavailable("no_token_without_store/token_unknown_client", ask(grant, basicOf("nobody", wrong))),
			unavailable("introspect_store_down/introspect", about(token(), basic(fresh("introspect")))),
			unavailable("revoke_store_down/client", form("/oauth/revoke", "token="+token(), basic(fresh(appScope)))),
		}},
		{"PutToken", []row{unavailable("no_token_without_store/put", ask(grant, basic(w.app)))}},
		{"GetToken", []row{
			unavailable("introspect_store_down/token_not_cached", about(token(), basic(w.rs))),
			unavailable("introspect_store_down/bearer_not_cached", about(cached, bearer(bearerRS))),
			unavailable("revoke_store_down/token_not_read", form("/oauth/revoke", "token="+token(), basic(w.app))),
			{name: "introspect_store_down/token_cached", call: about(cached, basic(w.rs)), status: 200,
				also: func(t *testing.T, r harness.Response) {
					if r.JSON(t)["active"] != true {
						t.Error(r.Body)
					}
				}},
			{name: "introspect_malformed/garbage_needs_no_store", call: about("made-up-0123456789", basic(w.rs)), status: 200, body: inactive},
			granted("revoke_malformed/garbage_needs_no_store", form("/oauth/revoke", "token=made-up-0123456789", basic(w.app))),
		}},
	} {
		t.Run(group.method, func(t *testing.T) {
			w.store.Fail(group.method, store.ErrUnavailable)
			defer w.store.Heal(group.method)
			w.run(t, group.rows)
		})
	}
	for method, activeAfter := range map[string]bool{"AppendFeed": true, "ReplaceToken": false} {
		t.Run("revoke_store_down/"+method, func(t *testing.T) {
			mine := token()
			revoke := form("/oauth/revoke", "token="+mine, basic(w.app))
			w.store.Fail(method, store.ErrUnavailable)
			unavailable("", call{}).check(t, w.send(t, revoke))
			w.store.Heal(method)
			if got := w.introspect(t, w.rs, mine); got != activeAfter {
				t.Errorf("after the failed revocation: active %v", got)
			}
			granted("", call{}).check(t, w.send(t, revoke))
			if w.introspect(t, w.rs, mine) {
				t.Error("active after the repeated revocation")
			}
		})
	}
}
