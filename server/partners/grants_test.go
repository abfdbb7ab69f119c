package partners

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// TestScopesOfPartners checks which scopes a partner may have: those that read,
// that need no code, and that are not grantd's own rights.
func TestScopesOfPartners(t *testing.T) {
	w := newWorld(t)
	for scope, allowed := range map[string]bool{
		"cards": true, "cards payments": true, "users:read": true,
		"": false, "cards-write": false, "cards-sensitive": false, "webhooks": false, "customer-token-write": false,
		"introspect": false, "admin:read": false, "cards admin:read": false, "unknown": false, " cards": false, "users:change_email": false,
	} {
		_, _, err := w.Put(t.Context(), operator, "another", 0, Spec{Name: "Another", Scope: scope})
		if allowed {
			wants(t, scope, err, "", "")
		} else if wants(t, scope, err, apierr.InvalidRequest, "scope"); err == nil {
			t.Errorf("%q is allowed", scope)
		}
	}
}

func TestPutPartnerRefuses(t *testing.T) {
	w := newWorld(t)
	for rule, row := range map[string]struct{ id, name, member string }{
		"an id with a slash": {"a/b", "A", "partner_id"},
		"no id":              {"", "A", "partner_id"},
		"no name":            {"a", "", "name"},
		"a name of 65":       {"a", strings.Repeat("a", 65), "name"},
		"a name of 2 lines":  {"a", "a\nb", "name"},
	} {
		_, _, err := w.Put(t.Context(), operator, row.id, 0, Spec{Name: row.name, Scope: "cards"})
		if wants(t, rule, err, apierr.InvalidRequest, row.member); err == nil {
			t.Errorf("%s is accepted", rule)
		}
	}
}

// TestWhoMayBeGrantedWhat has a row for each reason to refuse a grant.
func TestWhoMayBeGrantedWhat(t *testing.T) {
	w := newWorld(t)
	w.putOrg(t, "other")
	now := w.clock.Now().UTC()
	for _, row := range []struct {
		rule, id string
		spec     GrantSpec
		code     apierr.Code
		member   string
	}{
		{"what the partner may have", "hurdlr/acme", GrantSpec{Scope: "cards"}, "", ""},
		{"endpoints, and an end", "hurdlr/other", GrantSpec{Scope: "cards", Endpoints: []string{"GET /cards"}, Until: ptr(now.Add(2 * time.Second).Format(time.RFC3339))}, "", ""},
		{"no partner", "nobody/acme", GrantSpec{Scope: "cards"}, apierr.NotFound, ""},
		{"no org", "hurdlr/none", GrantSpec{Scope: "cards"}, apierr.InvalidRequest, "org_id"},
		{"no id", "hurdlr", GrantSpec{Scope: "cards"}, apierr.NotFound, ""},
		{"no scope", "hurdlr/acme", GrantSpec{}, apierr.InvalidRequest, "scope"},
		{"a scope that no partner may have", "hurdlr/acme", GrantSpec{Scope: "cards-write"}, apierr.InvalidRequest, "scope"},
		{"a scope that this partner does not have", "hurdlr/acme", GrantSpec{Scope: "cards accounts"}, apierr.InvalidRequest, "scope"},
		{"no endpoint", "hurdlr/acme", GrantSpec{Scope: "cards", Endpoints: []string{"POST /cards"}}, apierr.InvalidRequest, "endpoints"},
		{"an end in the past", "hurdlr/acme", GrantSpec{Scope: "cards", Until: ptr(now.Add(-time.Second).Format(time.RFC3339))}, apierr.InvalidRequest, "until"},
		{"no time", "hurdlr/acme", GrantSpec{Scope: "cards", Until: ptr("tomorrow")}, apierr.InvalidRequest, "until"},
		{"a year that JSON does not have", "hurdlr/acme", GrantSpec{Scope: "cards", Until: ptr("9999-12-31T23:59:59-01:00")}, apierr.InvalidRequest, "until"},
	} {
		_, _, err := w.PutGrant(t.Context(), operator, row.id, 0, row.spec)
		if wants(t, row.rule, err, row.code, row.member); row.code != "" && err == nil {
			t.Errorf("%s is accepted", row.rule)
		}
	}
	if _, err := w.Deactivate(t.Context(), operator, "hurdlr"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.PutGrant(t.Context(), operator, "hurdlr/acme", 0, GrantSpec{Scope: "cards"}); !errors.Is(err, errDeactivated) {
		t.Errorf("a deactivated partner: %v", err)
	}
}

// TestReplaceGrant checks which changes of a grant void the tokens that were made
// for it: those that take something away.
func TestReplaceGrant(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		rule  string
		edit  func(before, after *store.Grant)
		voids bool
		err   error
	}{
		{"nothing", func(_, _ *store.Grant) {}, false, registry.ErrUnchanged},
		{"the same end", func(b, a *store.Grant) { b.Until, a.Until = &noon, ptr(noon) }, false, registry.ErrUnchanged},
		{"a scope more", func(_, a *store.Grant) { a.Scopes = []string{"cards", "payments", "accounts"} }, false, nil},
		{"another order", func(_, a *store.Grant) { a.Scopes = []string{"payments", "cards"} }, false, nil},
		{"a scope less", func(_, a *store.Grant) { a.Scopes = []string{"cards"} }, true, nil},
		{"endpoints instead of all", func(_, a *store.Grant) { a.Endpoints = []string{"GET /cards"} }, true, nil},
		{"all endpoints instead of some", func(b, _ *store.Grant) { b.Endpoints = []string{"GET /cards"} }, false, nil},
		{"an endpoint more", func(b, a *store.Grant) { b.Endpoints, a.Endpoints = []string{"GET /a"}, []string{"GET /a", "GET /b"} }, false, nil},
		{"an endpoint less", func(b, a *store.Grant) { b.Endpoints, a.Endpoints = []string{"GET /a", "GET /b"}, []string{"GET /a"} }, true, nil},
		{"an end", func(_, a *store.Grant) { a.Until = &noon }, true, nil},
		{"an earlier end", func(b, a *store.Grant) { b.Until, a.Until = &noon, ptr(noon.Add(-1)) }, true, nil},
		{"a later end", func(b, a *store.Grant) { b.Until, a.Until = &noon, ptr(noon.Add(1)) }, false, nil},
		{"no end any more", func(b, _ *store.Grant) { b.Until = &noon }, false, nil},
		{"granted again after a withdrawal that stopped", func(b, _ *store.Grant) { b.DeactivatedAt = &noon }, true, nil},
		{"another org of the same id", func(_, a *store.Grant) { a.OrgIncarnation++ }, true, nil},
		{"another partner of the same id", func(_, a *store.Grant) { a.PartnerIncarnation++ }, true, nil},
	} {
		before := store.Grant{PartnerID: "p", OrgID: "o", Scopes: []string{"cards", "payments"}, PartnerIncarnation: 7, OrgIncarnation: 8}
		after := before
		row.edit(&before, &after)
		err := replaceGrant(&before, after)
		if !errors.Is(err, row.err) || before.Unannounced != row.voids {
			t.Errorf("%s: error %v, voids: %v", row.rule, err, before.Unannounced)
		}
		if err == nil && (!slices.Equal(before.Scopes, after.Scopes) || !slices.Equal(before.Endpoints, after.Endpoints) ||
			!equalTimes(before.Until, after.Until) || before.DeactivatedAt != nil || !sameIncarnation(before, after)) {
			t.Errorf("%s: stored %+v, want %+v", row.rule, before, after)
		}
	}
}

// TestNarrowedGrantVoidsItsTokens checks that the feed gets a void of the grant
// when it grants less, and none when it grants more.
func TestNarrowedGrantVoidsItsTokens(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "cards")
	for _, row := range []struct {
		scope string
		voids bool
	}{{"cards payments", false}, {"payments", true}} {
		since := w.feed.Position()
		w.grant(t, row.scope)
		if _, void := w.feed.VoidedKey(store.PrincipalGrant("hurdlr/acme"), since); void != row.voids {
			t.Errorf("%s: void %v", row.scope, void)
		}
		if !w.feed.Changed(store.PrincipalGrant("hurdlr/acme"), since) {
			t.Errorf("%s: caches keep the old grant", row.scope)
		}
	}
	since := w.feed.Position()
	if err := w.Withdraw(t.Context(), operator, "hurdlr/acme", 0); err != nil {
		t.Fatal(err)
	}
	if _, void := w.feed.VoidedKey(store.PrincipalGrant("hurdlr/acme"), since); !void {
		t.Error("a withdrawal does not void the tokens")
	}
	wants(t, "withdrawn again", w.Withdraw(t.Context(), operator, "hurdlr/acme", 0), apierr.NotFound, "")
}

// TestRecreatedPartnerKeepsNothing checks that a partner which has the id of a
// former one has neither its tokens nor its grants, even if a late call left a
// grant.
func TestRecreatedPartnerKeepsNothing(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "cards")
	late, err := w.store.Grants().Get(t.Context(), "hurdlr/acme")
	if err != nil {
		t.Fatal(err)
	}
	w.token(t)
	if err := w.Delete(t.Context(), operator, "hurdlr", 0); err != nil {
		t.Fatal(err)
	}
	w.putPartner(t, "cards payments")
	if list, err := w.ListTokens(t.Context(), "hurdlr"); err != nil || len(list) > 0 {
		t.Errorf("tokens %v, error %v", list, err)
	}
	if err := w.store.Grants().Create(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	_, err = w.Grant(t.Context(), "hurdlr/acme")
	wants(t, "the late grant", err, apierr.NotFound, "")
	if list, err := w.ListGrants(t.Context(), "hurdlr", "", 10); err != nil || len(list) > 0 {
		t.Errorf("grants %v, error %v", list, err)
	}
	if list, err := w.ListGrantsOfOrg(t.Context(), "acme", "", 10); err != nil || len(list) > 0 {
		t.Errorf("grants of the org %v, error %v", list, err)
	}
	if _, err := w.onBehalf.Issue(t.Context(), w.bearer(), Request{OrgID: ptr("acme"), Scopes: ptr("cards")}); !errors.Is(err, apierr.ErrNotAgreed) {
		t.Errorf("a token for the late grant: error %v", err)
	}
	if v := w.grant(t, "payments"); v.Scope != "payments" || v.State != Active {
		t.Errorf("granted again: %+v", v)
	}
}

// TestRecreatedOrgKeepsNothing checks that an org which has the id of a former one
// has agreed to nothing, until it grants something itself.
func TestRecreatedOrgKeepsNothing(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "cards")
	w.putOrg(t, "acme")
	if v, err := w.Grant(t.Context(), "hurdlr/acme"); err != nil || v.State != MadeAnew {
		t.Errorf("%+v, error %v", v, err)
	}
	request := Request{OrgID: ptr("acme"), Scopes: ptr("cards")}
	if _, err := w.onBehalf.Issue(t.Context(), w.bearer(), request); !errors.Is(err, apierr.ErrNotAgreed) {
		t.Errorf("error %v", err)
	}
	w.grant(t, "cards")
	if _, err := w.onBehalf.Issue(t.Context(), w.bearer(), request); err != nil {
		t.Errorf("granted again: %v", err)
	}
}

// TestGrantOfDeletedOrg checks that a grant stays visible when its org is deleted,
// so that an operator can withdraw it.
func TestGrantOfDeletedOrg(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "cards")
	o, err := w.store.Orgs().Get(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Orgs().Delete(t.Context(), "acme", o.Version); err != nil {
		t.Fatal(err)
	}
	list, err := w.ListGrantsOfOrg(t.Context(), "acme", "", 10)
	if err != nil || len(list) != 1 || list[0].State != OrgDeleted {
		t.Errorf("%+v, error %v", list, err)
	}
	if err := w.Withdraw(t.Context(), operator, "hurdlr/acme", 0); err != nil {
		t.Error(err)
	}
	_, err = w.ListGrantsOfOrg(t.Context(), "acme", "", 10)
	wants(t, "no org, no grant", err, apierr.NotFound, "")
}
