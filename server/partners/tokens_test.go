package partners

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

const day = 24 * time.Hour

// TestNewToken checks the bounds of a token that an operator creates.
func TestNewToken(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	addresses := make([]string, maxTokenRanges+1)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("192.0.2.%d", i)
	}
	for _, row := range []struct {
		rule   string
		spec   TokenSpec
		life   time.Duration
		member string // that is refused
	}{
		{"90 days if no lifetime is given", TokenSpec{Name: "a"}, 90 * day, ""},
		{"a minute", TokenSpec{Name: "a", Lifetime: ptr("1m")}, time.Minute, ""},
		{"less than a minute", TokenSpec{Name: "a", Lifetime: ptr("59s")}, 0, "lifetime"},
		{"365 days", TokenSpec{Name: "a", Lifetime: ptr("365d")}, 365 * day, ""},
		{"more than 365 days", TokenSpec{Name: "a", Lifetime: ptr("366d")}, 0, "lifetime"},
		{"a second more than 365 days", TokenSpec{Name: "a", Lifetime: ptr("31536001s")}, 0, "lifetime"},
		{"no time", TokenSpec{Name: "a", Lifetime: ptr("0s")}, 0, "lifetime"},
		{"not a time", TokenSpec{Name: "a", Lifetime: ptr("soon")}, 0, "lifetime"},
		{"whole seconds", TokenSpec{Name: "a", Lifetime: ptr("60500ms")}, time.Minute, ""},
		{"no name", TokenSpec{}, 0, "name"},
		{"a name of 64", TokenSpec{Name: strings.Repeat("é", 64)}, 90 * day, ""},
		{"a name of 65", TokenSpec{Name: strings.Repeat("a", 65)}, 0, "name"},
		{"32 addresses", TokenSpec{Name: "a", SourceIPs: addresses[:32]}, 90 * day, ""},
		{"33 addresses", TokenSpec{Name: "a", SourceIPs: addresses}, 0, "source_ips"},
		{"no address", TokenSpec{Name: "a", SourceIPs: []string{"localhost"}}, 0, "source_ips"},
	} {
		got, err := newToken(row.spec, now)
		if row.member != "" {
			if wants(t, row.rule, err, apierr.InvalidRequest, row.member); err == nil {
				t.Errorf("%s is accepted", row.rule)
			}
			continue
		}
		if err != nil || got.ExpiresAt.Sub(now) != row.life || !got.CreatedAt.Equal(now) || len(got.SourceIPs) != len(row.spec.SourceIPs) {
			t.Errorf("%s: %+v, error %v", row.rule, got, err)
		}
	}
}

// TestTwentyLiveTokens checks that a partner has at most twenty live tokens, and
// that a token which was revoked or has expired makes room for another one.
func TestTwentyLiveTokens(t *testing.T) {
	w := newWorld(t)
	var all []CreatedToken
	for range maxLiveTokens {
		all = append(all, w.token(t))
	}
	create := func(lifetime string) error {
		_, err := w.CreateToken(t.Context(), operator, "hurdlr", TokenSpec{Name: "one more", Lifetime: &lifetime})
		return err
	}
	wants(t, "token 21", create("1m"), apierr.Conflict, "")
	for _, id := range []string{all[0].ID, all[0].ID} { // the second time it has ended already
		if err := w.RevokeToken(t.Context(), operator, "hurdlr", id); err != nil {
			t.Fatal(err)
		}
	}
	wants(t, "in place of a revoked one", create("1m"), "", "")
	wants(t, "token 21 again", create("1m"), apierr.Conflict, "")
	w.clock.Advance(time.Minute)
	wants(t, "in place of an expired one", create("1m"), "", "")
}

// TestRefusedTokenLeavesNoOwner checks that a token which was refused leaves no
// record of its owner.
func TestRefusedTokenLeavesNoOwner(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Deactivate(t.Context(), operator, "hurdlr"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateToken(t.Context(), operator, "hurdlr", TokenSpec{Name: "a"}); !errors.Is(err, errDeactivated) {
		t.Errorf("error %v", err)
	}
	if _, err := w.store.PartnerTokens().Get(t.Context(), "10000001"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("its owner: error %v", err)
	}
	_, err := w.CreateToken(t.Context(), operator, "nobody", TokenSpec{Name: "a"})
	wants(t, "no partner", err, apierr.NotFound, "")
}

// TestEndedTokensAreForgotten checks that a token which has ended is listed for 30
// days, that 50 of them are kept, and that what is dropped loses its owner.
func TestEndedTokensAreForgotten(t *testing.T) {
	w := newWorld(t)
	first := w.token(t)
	if err := w.RevokeToken(t.Context(), operator, "hurdlr", first.ID); err != nil {
		t.Fatal(err)
	}
	listed := func() bool {
		list, err := w.ListTokens(t.Context(), "hurdlr")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(list, func(v TokenView) bool { return v.ID == first.ID })
	}
	if w.clock.Advance(keepEnded - time.Minute); !listed() {
		t.Error("not listed for 30 days")
	}
	if w.clock.Advance(2 * time.Minute); listed() {
		t.Error("listed after 30 days")
	}
	w.token(t)
	if _, err := w.store.PartnerTokens().Get(t.Context(), first.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("its owner: error %v", err)
	}

	now := w.clock.Now()
	ended := make([]store.PartnerToken, maxEnded+2)
	for i := range ended {
		ended[i] = store.PartnerToken{ID: fmt.Sprint(i), ExpiresAt: now.Add(-time.Hour)}
	}
	kept, dropped, err := addToken(ended, store.PartnerToken{ID: "new", ExpiresAt: now.Add(time.Hour)}, now)
	if err != nil || len(kept) != maxEnded+1 || kept[0].ID != "2" || kept[maxEnded].ID != "new" || len(dropped) != 2 {
		t.Errorf("kept %d, dropped %d, error %v", len(kept), len(dropped), err)
	}
}

// TestRotation checks that a partner's new token works beside the old one until
// that is revoked, and that revoking the old one ends only what was made with it.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	old, next := w.token(t), w.token(t)
	since := w.feed.Position()
	if err := w.RevokeToken(t.Context(), operator, "hurdlr", old.ID); err != nil {
		t.Fatal(err)
	}
	list, err := w.ListTokens(t.Context(), "hurdlr")
	if err != nil || len(list) != 2 || list[0].Active || !list[1].Active || list[0].RevokedBy == nil || *list[0].RevokedBy != "uid:0" {
		t.Errorf("%+v, error %v", list, err)
	}
	for id, want := range map[string]bool{old.ID: true, next.ID: false} {
		if _, void := w.feed.VoidedKey(store.PrincipalPartnerToken(id), since); void != want {
			t.Errorf("token %s is void: %v, want %v", id, void, want)
		}
	}
	if _, void := w.feed.VoidedKey(store.PrincipalPartner("hurdlr"), since); void {
		t.Error("all tokens of the partner are void")
	}
	wants(t, "another's token", w.RevokeToken(t.Context(), operator, "hurdlr", "00000000"), apierr.NotFound, "")
}

// TestRevokeByWhatIsKnown checks the ways to revoke a token without its partner's
// id: by the token itself, and by its id.
func TestRevokeByWhatIsKnown(t *testing.T) {
	w := newWorld(t)
	a, b := w.token(t), w.token(t)
	partner, id, ok, err := w.RevokePresented(t.Context(), operator, a.Token)
	if partner != "hurdlr" || id != a.ID || !ok || err != nil {
		t.Errorf("presented: %s %s %v %v", partner, id, ok, err)
	}
	if _, _, ok, err := w.RevokePresented(t.Context(), operator, "plain none"); ok || err != nil {
		t.Errorf("an unknown token: %v %v", ok, err)
	}
	for id, want := range map[string]bool{b.ID: true, "99999999": false, "a longer jti of a token": false} {
		if ok, err := w.RevokeByID(t.Context(), operator, id); ok != want || err != nil {
			t.Errorf("%s: %v %v", id, ok, err)
		}
	}
	list, err := w.ListTokens(t.Context(), "hurdlr")
	if err != nil || len(list) != 2 || list[0].Active || list[1].Active {
		t.Errorf("%+v, error %v", list, err)
	}
}

// TestVoidAllGoesOn checks that one partner which cannot be written does not keep the
// tokens of the others alive, and that repeating the call ends the rest.
func TestVoidAllGoesOn(t *testing.T) {
	w := newWorld(t)
	w.token(t)
	if _, _, err := w.Put(t.Context(), operator, "second", 0, Spec{Name: "Second", Scope: "cards"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateToken(t.Context(), operator, "second", TokenSpec{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	w.store.Hook("UpdatePartner", func() { w.store.Heal("UpdatePartner") }) // only the first call fails
	w.store.Fail("UpdatePartner", store.ErrUnavailable)
	if err := w.VoidAll(t.Context(), operator); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if active := w.active(t, "hurdlr") + w.active(t, "second"); active != 1 {
		t.Errorf("%d tokens are active after one failure, want 1", active)
	}
	if err := w.VoidAll(t.Context(), operator); err != nil {
		t.Error(err)
	}
	if active := w.active(t, "hurdlr") + w.active(t, "second"); active != 0 {
		t.Errorf("%d tokens are active after the second call", active)
	}
}

// active returns how many active tokens the partner has.
func (w *world) active(t *testing.T, partner string) (n int) {
	t.Helper()
	list, err := w.ListTokens(t.Context(), partner)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if v.Active {
			n++
		}
	}
	return n
}

// A token that is made while all partner tokens are voided does not come back to life
// when the feed forgets the void.
func TestVoidAllWhileATokenIsMade(t *testing.T) {
	w := newWorld(t)
	done := false
	w.store.Hook("UpdatePartner", func() {
		if done {
			return
		}
		done = true
		err := w.feed.Append(t.Context(), store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAllPartnerTokens, By: "uid:0"})
		if err := errors.Join(err, w.VoidAll(t.Context(), operator)); err != nil {
			t.Error(err)
		}
	})
	_, err := w.CreateToken(t.Context(), operator, "hurdlr", TokenSpec{Name: "backend"})
	wants(t, "make", err, apierr.Conflict, "")
	p, err := w.store.Partners().Get(t.Context(), "hurdlr")
	if err != nil || len(p.Tokens) != 1 || p.Tokens[0].RevokedAt == nil {
		t.Errorf("%+v, error %v", p.Tokens, err)
	}
	if _, err := w.CreateToken(t.Context(), operator, "hurdlr", TokenSpec{Name: "backend"}); err != nil {
		t.Errorf("afterward: %v", err)
	}
}
