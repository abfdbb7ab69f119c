package partners

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/store"
)

// TestStateOf has a row for every state, and rows for which of two reasons a
// grant that is invalid for both shows.
func TestStateOf(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	type parts struct {
		g store.Grant
		p store.Partner
		o store.Org
	}
	seen := map[State]bool{OrgDeleted: true} // there is no org to look at: see addState and checkState
	for _, row := range []struct {
		rule string
		edit func(*parts)
		want State
	}{
		{"a grant", func(*parts) {}, Active},
		{"one that ends later", func(x *parts) { x.g.Until = ptr(now.Add(1)) }, Active},
		{"one that ends now", func(x *parts) { x.g.Until = &now }, Expired},
		{"one that has ended", func(x *parts) { x.g.Until = ptr(now.Add(-time.Second)) }, Expired},
		{"a withdrawal that stopped half-way", func(x *parts) { x.g.DeactivatedAt = &now }, Withdrawn},
		{"a partner that was made again", func(x *parts) { x.p.Incarnation++ }, MadeAnew},
		{"an org that was made again", func(x *parts) { x.o.Incarnation++ }, MadeAnew},
		{"the grant of another partner", func(x *parts) { x.p.ID = "other" }, MadeAnew},
		{"the grant of another org", func(x *parts) { x.o.ID = "other" }, MadeAnew},
		{"a deactivated partner", func(x *parts) { x.p.DeactivatedAt = &now }, PartnerDeactivated},
		{"a deactivated org", func(x *parts) { x.o.DeactivatedAt = &now }, OrgDeactivated},
		{"no scope that the partner still has", func(x *parts) { x.p.Scopes = []string{"accounts"} }, NoScope},
		{"no scope that the catalogue still has", func(x *parts) { x.g.Scopes = []string{"gone"}; x.p.Scopes = x.g.Scopes }, NoScope},
		{"no scope that still only reads", func(x *parts) { x.g.Scopes = []string{"cards-write"}; x.p.Scopes = x.g.Scopes }, NoScope},
		{"one scope of two that is left", func(x *parts) { x.p.Scopes = []string{"payments"} }, Active},
		{"withdrawn and made again", func(x *parts) { x.g.DeactivatedAt = &now; x.o.Incarnation++ }, Withdrawn},
		{"both deactivated", func(x *parts) { x.p.DeactivatedAt, x.o.DeactivatedAt = &now, &now }, PartnerDeactivated},
		{"expired, and no scope left", func(x *parts) { x.g.Until, x.p.Scopes = &now, nil }, Expired},
	} {
		x := parts{
			store.Grant{PartnerID: "p", OrgID: "o", Scopes: []string{"cards", "payments"}, PartnerIncarnation: 7, OrgIncarnation: 8},
			store.Partner{ID: "p", Scopes: []string{"cards", "payments"}, Incarnation: 7},
			store.Org{ID: "o", Incarnation: 8},
		}
		row.edit(&x)
		got := stateOf(&x.g, &x.p, &x.o, scopes.Default(), now)
		if seen[got] = true; got != row.want {
			t.Errorf("%s: %s, want %s", row.rule, got, row.want)
		}
	}
	all := []State{Active, Expired, MadeAnew, NoScope, OrgDeactivated, OrgDeleted, PartnerDeactivated, Withdrawn}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, slices.Sorted(slices.Values(all))) {
		t.Errorf("the rows have the states %v, want %v", got, all)
	}
}

func TestUsableScopes(t *testing.T) {
	g := &store.Grant{Scopes: []string{"cards", "payments", "cards-write", "gone", "cards-sensitive"}}
	p := &store.Partner{Scopes: []string{"payments", "cards-write", "gone", "cards-sensitive", "accounts"}}
	if got := usableScopes(g, p, scopes.Default()); !slices.Equal(got, []string{"payments"}) {
		t.Errorf("usable are %v", got)
	}
	if strings.Join(g.Scopes, " ") != "cards payments cards-write gone cards-sensitive" {
		t.Errorf("the grant has changed: %v", g.Scopes)
	}
}

// TestLatestEnd checks that a token ends with the partner token or the grant,
// whichever ends first.
func TestLatestEnd(t *testing.T) {
	end := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for rule, row := range map[string]struct {
		until *time.Time
		want  time.Time
	}{
		"a grant without end":      {nil, end},
		"a grant that ends later":  {ptr(end.Add(1)), end},
		"a grant that ends sooner": {ptr(end.Add(-1)), end.Add(-1)},
	} {
		if got := latestEnd(&store.Token{ExpiresAt: end}, &store.Grant{Until: row.until}); !got.Equal(row.want) {
			t.Errorf("%s: %v, want %v", rule, got, row.want)
		}
	}
}
