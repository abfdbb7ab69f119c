package partners

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// TestRequest checks what a request for an on-behalf token may say. The first
// member that is wrong is reported.
func TestRequest(t *testing.T) {
	const org, names = "acme", "cards"
	for _, row := range []struct {
		rule   string
		r      Request
		member string
		life   time.Duration
	}{
		{"org and scopes", Request{OrgID: ptr(org), Scopes: ptr(names)}, "", day},
		{"no org", Request{Scopes: ptr(names)}, "orgId", 0},
		{"no scopes", Request{OrgID: ptr(org)}, "scopes", 0},
		{"empty scopes", Request{OrgID: ptr(org), Scopes: ptr("")}, "scopes", 0},
		{"malformed scopes", Request{OrgID: ptr(org), Scopes: ptr("cards  payments")}, "scopes", 0},
		{"no address", Request{OrgID: ptr(org), Scopes: ptr(names), SourceIP: ptr("localhost")}, "sourceIp", 0},
		{"an empty address", Request{OrgID: ptr(org), Scopes: ptr(names), SourceIP: ptr("")}, "sourceIp", 0},
		{"a second", Request{OrgID: ptr(org), Scopes: ptr(names), ExpiresIn: ptr(int64(1))}, "", time.Second},
		{"no time", Request{OrgID: ptr(org), Scopes: ptr(names), ExpiresIn: ptr(int64(0))}, "expiresIn", 0},
		{"a day", Request{OrgID: ptr(org), Scopes: ptr(names), ExpiresIn: ptr(int64(86400))}, "", day},
		{"more than a day", Request{OrgID: ptr(org), Scopes: ptr(names), ExpiresIn: ptr(int64(86401))}, "expiresIn", 0},
		{"nothing", Request{SourceIP: ptr("x"), ExpiresIn: ptr(int64(-1))}, "orgId", 0},
	} {
		got, err := row.r.parse()
		if row.member != "" {
			if wants(t, row.rule, err, apierr.InvalidRequest, row.member); err == nil {
				t.Errorf("%s is accepted", row.rule)
			}
			continue
		}
		if err != nil || got.org != org || got.life != row.life || !slices.Equal(got.scopes, []string{names}) {
			t.Errorf("%s: %+v, error %v", row.rule, got, err)
		}
	}
}

// TestIssueOnBehalf checks what a token on behalf of an org has.
func TestIssueOnBehalf(t *testing.T) {
	w := newWorld(t)
	until := w.clock.Now().Add(10 * time.Minute).UTC().Truncate(time.Second)
	_, _, err := w.PutGrant(t.Context(), operator, "hurdlr/acme", 0, GrantSpec{
		Scope: "cards payments", Endpoints: []string{"GET /cards"}, Until: ptr(until.Format(time.RFC3339)),
	})
	if err != nil {
		t.Fatal(err)
	}
	b := w.bearer()
	if _, err := w.onBehalf.Issue(t.Context(), b, Request{OrgID: ptr("acme"), Scopes: ptr("payments"), SourceIP: ptr("192.0.2.7"), ExpiresIn: ptr(int64(5))}); err != nil {
		t.Fatal(err)
	}
	got := w.minted[0]
	if got.Use != store.UseOnBehalf || got.PartnerID != "hurdlr" || got.PartnerTID != "10000001" || got.OrgID != "acme" || got.Scopes != "payments" ||
		len(got.SourceIPs) != 1 || !slices.Equal(got.Endpoints, []string{"GET /cards"}) || got.Position != b.Mark.Position || !got.ExpiresAt.Equal(until) || w.lives[0] != 5*time.Second {
		t.Errorf("%+v for %v", got, w.lives[0])
	}
	if _, err := w.onBehalf.Exchange(t.Context(), b, "acme", ""); err != nil {
		t.Fatal(err)
	}
	if got := w.minted[1]; got.Scopes != "cards payments" || w.lives[1] != day || got.SourceIPs != nil {
		t.Errorf("exchanged: %+v for %v", got, w.lives[1])
	}
}

// TestOnBehalfRefuses has a row for each reason to refuse a token, and how both
// endpoints recognize it.
func TestOnBehalfRefuses(t *testing.T) {
	for _, row := range []struct {
		rule   string
		edit   func(t *testing.T, w *world)
		org    string
		scope  string
		code   apierr.Code
		reason error
		needed string
	}{
		{"an org that granted nothing", func(t *testing.T, w *world) { w.putOrg(t, "other") }, "other", "cards", apierr.AccessDenied, apierr.ErrNotAgreed, ""},
		{"no org", nil, "none", "cards", apierr.AccessDenied, apierr.ErrNotAgreed, ""},
		{"no id", nil, "a/b", "cards", apierr.AccessDenied, apierr.ErrNotAgreed, ""},
		{"an empty id", nil, "", "cards", apierr.AccessDenied, apierr.ErrNotAgreed, ""},
		{"a withdrawn grant", func(t *testing.T, w *world) {
			if err := w.Withdraw(t.Context(), operator, "hurdlr/acme", 0); err != nil {
				t.Fatal(err)
			}
		}, "acme", "cards", apierr.AccessDenied, apierr.ErrNotAgreed, ""},
		{"a deactivated partner", func(t *testing.T, w *world) {
			if _, err := w.Deactivate(t.Context(), operator, "hurdlr"); err != nil {
				t.Fatal(err)
			}
		}, "acme", "cards", apierr.AccessDenied, apierr.ErrNotAgreed, ""},
		{"an org that was made again", func(t *testing.T, w *world) { w.putOrg(t, "acme") }, "acme", "cards", apierr.AccessDenied, apierr.ErrNotAgreed, ""},
		{"an expired partner token", func(_ *testing.T, w *world) { w.clock.Advance(time.Hour) }, "acme", "cards", apierr.AccessDenied, apierr.ErrNotAgreed, ""},
		{"a scope that was not granted", nil, "acme", "cards payments", apierr.InsufficientScope, apierr.ErrNotGranted, "payments"},
		{"a scope that writes", nil, "acme", "cards-write", apierr.InsufficientScope, apierr.ErrNotGranted, "cards-write"},
		{"a scope that does not exist", nil, "acme", "unknown", apierr.InsufficientScope, apierr.ErrNotGranted, "unknown"},
		{"a scope that the partner lost", func(t *testing.T, w *world) { w.putPartner(t, "payments") }, "acme", "cards", apierr.InsufficientScope, apierr.ErrNotGranted, "cards"},
		{"malformed scopes", nil, "acme", "cards  payments", apierr.InvalidRequest, scopes.ErrSyntax, ""},
		{"too many tokens", func(_ *testing.T, w *world) { w.quota = time.Minute }, "acme", "cards", apierr.TooManyRequests, nil, ""},
	} {
		t.Run(row.rule, func(t *testing.T) {
			w := newWorld(t)
			w.grant(t, "cards")
			b := w.bearer()
			if row.edit != nil {
				row.edit(t, w)
			}
			_, issued := w.onBehalf.Issue(t.Context(), b, Request{OrgID: &row.org, Scopes: &row.scope})
			_, exchanged := w.onBehalf.Exchange(t.Context(), b, row.org, row.scope)
			for _, err := range []error{issued, exchanged} {
				var e *apierr.Error
				if !errors.As(err, &e) || e.Code != row.code || e.Scope != row.needed || row.reason != nil && !errors.Is(err, row.reason) {
					t.Errorf("error %v, scope %q", err, e.Scope)
				}
				if row.code == apierr.TooManyRequests && e.RetryAfter != time.Minute {
					t.Errorf("wait %v", e.RetryAfter)
				}
			}
			if len(w.minted) > 0 {
				t.Errorf("made %+v", w.minted)
			}
		})
	}
}

// TestExchangeOfNothing checks that an exchange without scopes is refused if none
// of the granted scopes is left.
func TestExchangeOfNothing(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "cards")
	w.putPartner(t, "payments")
	if _, err := w.onBehalf.Exchange(t.Context(), w.bearer(), "acme", ""); !errors.Is(err, apierr.ErrNotGranted) {
		t.Errorf("error %v", err)
	}
}

// TestAuthenticate checks that only an active token is used, and what a caller
// learns of a refused token.
func TestAuthenticate(t *testing.T) {
	w := newWorld(t)
	active := w.bearer()
	refused := Bearer{Refused: &tokens.RefusedToken{PartnerID: "hurdlr", TokenID: "10000001", Why: tokens.RefusedRevoked}}
	for rule, row := range map[string]struct {
		found  Bearer
		active bool
		cause  string
		id     string
	}{
		"active":  {active, true, "", "10000001"},
		"revoked": {refused, false, "revoked", "10000001"},
		"unknown": {Bearer{}, false, "", ""},
	} {
		w.found, w.uses = row.found, nil
		b, err := w.onBehalf.Authenticate(t.Context(), "presented", netip.Addr{})
		if row.active != (err == nil) || row.active != (b.Token != nil) || !row.active && !errors.Is(err, apierr.ErrPartnerToken) {
			t.Errorf("%s: token %v, error %v", rule, b.Token, err)
		}
		if _, id := b.PartnerToken(); id != row.id {
			t.Errorf("%s: the log may know %q, want %q", rule, id, row.id)
		}
		if cause := errors.Unwrap(err); row.cause != "" && (cause == nil || cause.Error() != row.cause) {
			t.Errorf("%s: cause %v, want %q", rule, cause, row.cause)
		}
		if (len(w.uses) == 1) != row.active {
			t.Errorf("%s: uses %v", rule, w.uses)
		}
	}
}

// TestListOrgs checks that a partner sees the orgs that agree now, page by page.
func TestListOrgs(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		id := "org" + strconv.Itoa(i)
		w.putOrg(t, id)
		if _, _, err := w.PutGrant(t.Context(), operator, "hurdlr/"+id, 0, GrantSpec{Scope: "cards"}); err != nil {
			t.Fatal(err)
		}
	}
	w.putOrg(t, "org2") // another one: it has not agreed
	var ids []string
	after, pages := "", 0
	for more := true; more; pages++ {
		orgs, next, err := w.onBehalf.ListOrgs(t.Context(), w.bearer(), after, 2)
		if err != nil || len(orgs) > 2 {
			t.Fatal(orgs, err)
		}
		for _, o := range orgs {
			ids = append(ids, o.ID)
			after = o.ID
		}
		more = next
	}
	if !slices.Equal(ids, []string{"org0", "org1", "org3", "org4", "org5"}) || pages != 3 {
		t.Errorf("%v in %d pages", ids, pages)
	}
}
