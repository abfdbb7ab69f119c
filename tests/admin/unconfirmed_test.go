package admin_test

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/harness"
)

// startFaulty starts a server on an embedded store that fails as the test asks.
func startFaulty(t *testing.T) (*harness.Server, *storetest.Faulty) {
	t.Helper()
	e, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f := storetest.NewFaulty(e)
	return harness.Start(t, harness.Options{Use: f}), f
}

// TestUnconfirmedChange checks that every change is in force and 202 while the store
// has not confirmed it: with the members that it has otherwise, and with the outcome
// in the audit. What only reads is as always.
func TestUnconfirmedChange(t *testing.T) {
	t.Parallel()
	s, f := startFaulty(t)
	newAlliance(t, s)
	c, rs := s.NewClient(t, "cart", "users:read"), s.NewClient(t, "rs", "introspect")
	token := s.Token(t, c, "")
	f.SetUnconfirmed(true)
	for _, row := range []struct {
		call   string
		body   any
		member string // of the response as it is otherwise; "": it has no body
	}{
		{"POST /tokens/revoke", map[string]any{"token": token}, "revoked"},
		{"POST /clients/cart/secrets", map[string]any{"grace": "24h"}, "client_secret"},
		{"PATCH /clients/cart", map[string]any{"name": "Cart"}, "client_id"},
		{"DELETE /clients/cart/secrets/" + c.SecretID + "?void_tokens=true", nil, ""},
		{"POST /leaks", map[string]any{"credential": c.ClientSecret}, "secret_id"},
		{"POST /clients/cart/void-tokens", nil, "client_id"},
		{"POST /clients/cart/deactivate", nil, "client_id"},
		{"PUT /orgs/acme2", map[string]any{"name": "Acme"}, "org_id"},
		{"PUT /partners/hurdlr/orgs/acme", map[string]any{"scope": "accounts"}, "scope"}, // it has a state
		{"POST /partners/hurdlr/tokens", map[string]any{"name": "n"}, "token"},
		{"POST /tokens/void-all", nil, "voided"},
		{"DELETE /clients/cart", nil, ""},
	} {
		method, path, _ := strings.Cut(row.call, " ")
		r := s.AdminDo(t, method, path, row.body)
		m := r.JSON(t)
		if detail, _ := m["state_detail"].(string); r.Status != http.StatusAccepted || m["state"] != "unconfirmed" || !strings.Contains(detail, "in force") {
			t.Errorf("%s: %v", row.call, r)
		}
		if row.member != "" && m[row.member] == nil {
			t.Errorf("%s: the body lacks %s: %s", row.call, row.member, r.Body)
		}
	}
	if r := s.Introspect(t, rs, token); !r.Inactive() {
		t.Errorf("the revocation is not in force: %v", r)
	}
	for _, call := range []string{"GET /clients/rs", "GET /clients"} {
		method, path, _ := strings.Cut(call, " ")
		if r := s.AdminDo(t, method, path, nil); r.Status != http.StatusOK || strings.Contains(r.Body, "unconfirmed") {
			t.Errorf("%s: %v", call, r)
		}
	}
	if r := s.AdminDo(t, "POST", "/tokens/explain", map[string]any{"token": token}); r.Status != http.StatusOK || r.JSON(t)["state"] != "revoked" {
		t.Errorf("explain: %v", r)
	}
	if r := s.AdminDo(t, "PATCH", "/clients/nobody", map[string]any{"name": "x"}); r.Status != http.StatusNotFound {
		t.Errorf("a change that failed: %v", r)
	}
	f.SetUnconfirmed(false)
	if r := s.AdminDo(t, "PATCH", "/clients/rs", map[string]any{"name": "RS"}); r.Status != http.StatusOK || strings.Contains(r.Body, "unconfirmed") {
		t.Errorf("a change that is confirmed: %v", r)
	}
	events, err := f.ListAudit(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]string{"client.rotate_secret": "unconfirmed", "token.void_all": "unconfirmed", "leak.report": "unconfirmed"} {
		if !slices.ContainsFunc(events, func(e store.AuditEvent) bool { return e.Action == action && e.Outcome == want }) {
			t.Errorf("no event %s with the outcome %s: %+v", action, want, events)
		}
	}
	if newest := events[0]; newest.Action != "client.update" || newest.Outcome != "done" {
		t.Errorf("the newest event is %+v, want client.update, done", newest)
	}
}
