package admin_test

import (
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// If a narrowing was written but could not be announced, the next try announces
// it, although that finds nothing to narrow.
func TestNarrowingThatWasNotAnnounced(t *testing.T) {
	t.Parallel()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(e)
	s := harness.Start(t, harness.Options{Use: faulty})
	rs := create(t, s, object{"client_id": "cards-api", "scope": "introspect"})
	c := create(t, s, object{"client_id": "billing", "scope": "users:read users:write"})
	token, _ := tokenFor(t, s, "billing", c["client_secret"].(string))

	faulty.Fail("AppendFeed", errors.Join(errors.New("down"), store.ErrUnavailable))
	do(t, s, "PATCH", "/clients/billing", object{"scope": "users:read"}, 503)
	faulty.Heal("AppendFeed")
	do(t, s, "PATCH", "/clients/billing", object{"scope": "users:read"}, 200)
	if active(t, s, rs, token) {
		t.Error("a token with the removed scope is active")
	}
	token, _ = tokenFor(t, s, "billing", c["client_secret"].(string))
	do(t, s, "PATCH", "/clients/billing", object{"scope": "users:read"}, 200)
	if !active(t, s, rs, token) {
		t.Error("a change that narrows nothing voided a token")
	}
}

// Narrowing must not leave a client without default scopes, because then its
// default would be every scope that it may have.
func TestNarrowingTheLastDefault(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	create(t, s, object{"client_id": "billing", "scope": "users:read cards-sensitive payments-write", "default_scope": "users:read"})
	got := do(t, s, "PATCH", "/clients/billing", object{"scope": "cards-sensitive payments-write"}, 400)
	if got["field"] != "default_scope" {
		t.Errorf("got %v", got)
	}
	do(t, s, "PATCH", "/clients/billing", object{"scope": "cards-sensitive payments-write", "default_scope": ""}, 200)
}

// Other spellings of a path or a member's name, which a proxy might pass on, are
// refused.
func TestOneSpelling(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	c := create(t, s, object{"client_id": "victim", "scope": "users:read"})
	do(t, s, "DELETE", "/clients/victim%2Fsecrets%2F"+c["secret_id"].(string), nil, 404)
	do(t, s, "GET", "/clients/victim%2fsecrets", nil, 404)
	for _, id := range []string{".", ".."} {
		do(t, s, "POST", "/clients", object{"client_id": id}, 400)
	}
	for _, body := range []string{
		`{"scope":"users:read","Scope":"admin:write"}`, `{"SCOPE":"admin:write"}`, `{"ſcope":"admin:write"}`,
	} {
		req, _ := http.NewRequest("POST", "http://grantd/admin/v1/clients", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		if r := harness.Do(t, s.Admin, req); r.Status != 400 {
			t.Errorf("%s: %d %s", body, r.Status, r.Body)
		}
	}
	// A caller on the socket has no address, whatever a header says.
	req, _ := http.NewRequest("POST", "http://grantd/admin/v1/clients/victim/deactivate", nil)
	req.Header.Set("X-Forwarded-For", "6.6.6.6")
	harness.Do(t, s.Admin, req)
	if audit := s.AdminDo(t, "GET", "/audit", nil).Body; strings.Contains(audit, "6.6.6.6") || !strings.Contains(audit, "client.deactivate") {
		t.Errorf("audit: %s", audit)
	}
}
