package admin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// TestCauseIsForOperators makes the store fail for each cause. The admin API names
// it, and what to do; callers of the public endpoints, and callers of the admin API
// whose token could not be checked, learn nothing of it.
func TestCauseIsForOperators(t *testing.T) {
	t.Parallel()
	opened, err := embedded.Open(embedded.Options{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(opened)
	o := overTCP()
	o.Use = faulty
	s := harness.Start(t, o)
	c, rs := s.NewClient(t, "shop", "users:read"), s.NewClient(t, "api", "introspect")
	token := s.Token(t, c, "")
	for _, cause := range store.Causes() {
		const address = "redis-7.internal:6379"
		failure := store.WithCause(fmt.Errorf("redis: dial %s: %w", address, store.ErrUnavailable), cause)
		faulty.Fail(storetest.EveryMethod, failure)
		for what, r := range map[string]harness.Response{
			"create": s.AdminDo(t, "POST", "/clients", map[string]any{"client_id": "new", "scope": "users:read"}),
			"list":   s.AdminDo(t, "GET", "/orgs", nil),
			"audit":  s.AdminDo(t, "GET", "/audit", nil),
		} {
			body := r.JSON(t)
			if r.Status != 503 || body["error"] != "temporarily_unavailable" || body["cause"] != string(cause) ||
				body["error_description"] != cause.Reason()+"; then try again" || r.Header.Get("Retry-After") == "" {
				t.Errorf("%s, %s: %v", cause, what, r)
			}
			if strings.Contains(r.Body, address) {
				t.Errorf("%s, %s: the response repeats the error: %v", cause, what, r)
			}
		}
		for what, r := range map[string]harness.Response{
			"issuing":         s.Form(t, "/oauth/token", c.ClientID, c.ClientSecret, url.Values{"grant_type": {"client_credentials"}}),
			"introspecting":   s.Introspect(t, rs, token),
			"admin, no right": bearer(s, token).do(t, "GET", "/orgs", nil),
		} {
			if r.Status != 503 || r.JSON(t)["error"] != "temporarily_unavailable" || strings.Contains(r.Body, string(cause)) || strings.Contains(r.Body, cause.Reason()) {
				t.Errorf("%s, %s: %v", cause, what, r)
			}
		}
		faulty.Heal(storetest.EveryMethod)
	}
	if logs := s.Logs.String(); !strings.Contains(logs, "redis-7.internal") {
		t.Error("the log does not have the whole error")
	}
}
