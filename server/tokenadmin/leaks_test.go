package tokenadmin_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// While the store is away, a report neither says that a credential is unknown
// nor that it has ended. Repeating the report ends it.
func TestLeakWithTheStoreAway(t *testing.T) {
	opened, err := embedded.Open(embedded.Options{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(opened)
	s := harness.Start(t, harness.Options{Use: faulty})
	rs, c := s.NewClient(t, "rs", "introspect"), s.NewClient(t, "billing", "users:read")
	token := s.Token(t, c, "")
	for _, tc := range []struct{ method, credential string }{
		{"GetToken", token}, {"AppendFeed", token}, {"ListClients", c.ClientSecret}, {"UpdateClient", c.ClientSecret}, {"AppendFeed", c.ClientSecret},
	} {
		faulty.Fail(tc.method, store.ErrUnavailable)
		r := s.AdminDo(t, "POST", "/leaks", map[string]any{"credential": tc.credential})
		if r.Status != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", tc.method, r.Status, r.Body)
		}
		faulty.Heal(tc.method)
	}
	events := s.AdminDo(t, "GET", "/audit?limit=100", nil).Body
	if n := strings.Count(events, `"action":"leak.report"`); n != 5 || strings.Contains(events, token) || strings.Contains(events, c.ClientSecret) {
		t.Errorf("%d reports in %s", n, events)
	}
	for _, credential := range []string{c.ClientSecret, token} {
		if r := s.AdminDo(t, "POST", "/leaks", map[string]any{"credential": credential}); r.Status != 200 || r.JSON(t)["ended"] != true {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	if r := s.Introspect(t, rs, token); r.Body != `{"active":false}` {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.Form(t, "/oauth/token", "billing", c.ClientSecret, url.Values{"grant_type": {"client_credentials"}}); r.Status != 401 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func TestLeakBodies(t *testing.T) {
	s := harness.Start(t)
	for name, body := range map[string]any{
		"nothing": nil, "no credential": map[string]any{}, "another member": map[string]any{"token": "x"}, "a number": map[string]any{"credential": 1},
	} {
		if r := s.AdminDo(t, "POST", "/leaks", body); r.Status != 400 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
}
