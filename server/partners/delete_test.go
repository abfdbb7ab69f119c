package partners

import (
	"errors"
	"testing"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// TestDeletionThatStopsHalfWay makes each step of deleting a partner fail. The
// partner's tokens have ended by then, nothing is granted to it, and deleting it
// again removes the rest.
func TestDeletionThatStopsHalfWay(t *testing.T) {
	for _, method := range []string{"AppendFeed", "ListGrants", "DeleteGrant", "DeletePartnerToken", "DeletePartner"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.grant(t, "cards")
			token := w.token(t)
			bearer := w.bearer()
			w.store.Fail(method, store.ErrUnavailable)
			if err := w.Delete(t.Context(), operator, "hurdlr", 0); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("error %v", err)
			}
			w.store.Heal(method)
			p, err := w.store.Partners().Get(t.Context(), "hurdlr")
			if err != nil || p.DeactivatedAt == nil || p.Tokens[0].RevokedAt == nil {
				t.Errorf("%+v, error %v", p, err)
			}
			if method != "AppendFeed" { // there the record is all that says it, and the next change tells the feed
				if _, void := w.feed.VoidedKey(store.PrincipalPartner("hurdlr"), bearer.Mark.Position); !void {
					t.Error("the tokens that the partner made are not void")
				}
				if _, err := w.onBehalf.Issue(t.Context(), bearer, Request{OrgID: ptr("acme"), Scopes: ptr("cards")}); !errors.Is(err, apierr.ErrNotAgreed) {
					t.Errorf("a token on behalf: error %v", err)
				}
			}
			if err := w.Delete(t.Context(), operator, "hurdlr", 0); err != nil {
				t.Fatal(err)
			}
			for what, get := range map[string]func() error{
				"the partner": func() error { _, err := w.store.Partners().Get(t.Context(), "hurdlr"); return err },
				"its grant":   func() error { _, err := w.store.Grants().Get(t.Context(), "hurdlr/acme"); return err },
				"its owner":   func() error { _, err := w.store.PartnerTokens().Get(t.Context(), token.ID); return err },
			} {
				if err := get(); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: error %v", what, err)
				}
			}
		})
	}
}

// TestTokenThatCouldNotBeStored checks that a token whose record could not be
// written is not in the partner's record, and that one whose write was only
// reported as failed can be found and revoked.
func TestTokenThatCouldNotBeStored(t *testing.T) {
	w := newWorld(t)
	w.store.Fail("UpdatePartner", store.ErrUnavailable)
	if _, err := w.CreateToken(t.Context(), operator, "hurdlr", TokenSpec{Name: "a"}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	w.store.Heal("UpdatePartner")
	if n := w.active(t, "hurdlr"); n != 0 {
		t.Errorf("%d tokens", n)
	}
	w.store.FailAfter("UpdatePartner", store.ErrUnavailable)
	if _, err := w.CreateToken(t.Context(), operator, "hurdlr", TokenSpec{Name: "a"}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	w.store.Heal("UpdatePartner")
	if ok, err := w.RevokeByID(t.Context(), operator, "10000002"); !ok || err != nil {
		t.Errorf("revoked: %v, error %v", ok, err)
	}
}
