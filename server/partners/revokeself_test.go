package partners

import (
	"testing"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// TestRevokeSelf: a partner token ends itself once. What has ended is not written again.
func TestRevokeSelf(t *testing.T) {
	w := newWorld(t)
	caller := audit.Actor{Address: "192.0.2.1", RequestID: "abc"}
	revoke := func(presented string) (string, bool) {
		t.Helper()
		id, ok, err := w.RevokeSelf(t.Context(), presented, caller)
		if err != nil {
			t.Fatal(err)
		}
		return id, ok
	}
	made, other := w.token(t), w.token(t)
	if id, ok := revoke("made up"); ok || id != "" {
		t.Errorf("made up: %q %v", id, ok)
	}
	writes := w.store.Calls("UpdatePartner")
	for range 3 {
		if id, ok := revoke("plain " + made.ID); !ok || id != made.ID {
			t.Errorf("%q %v", id, ok)
		}
		w.clock.Advance(store.FeedRetention + time.Second) // the feed has forgotten it
	}
	if got := w.store.Calls("UpdatePartner") - writes; got != 1 {
		t.Errorf("%d writes", got)
	}
	list, err := w.ListTokens(t.Context(), "hurdlr")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if v.Active != (v.ID == other.ID) || !v.Active && (v.RevokedBy == nil || *v.RevokedBy != "partner:hurdlr") {
			t.Errorf("%+v", v)
		}
	}
	events, err := w.store.ListAudit(t.Context(), "", 1)
	if err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	if e := events[0]; e.Action != "partner.revoke_token" || e.Actor != "partner:hurdlr" || e.Address != "192.0.2.1" || e.RequestID != "abc" || e.Target != "partner:hurdlr" {
		t.Errorf("%+v", e)
	}
}

// TestCanEnd: the holder of a token that has ended cannot make grantd write.
func TestCanEnd(t *testing.T) {
	w := newWorld(t)
	now := w.clock.Now()
	at := func(d time.Duration) *time.Time { moment := now.Add(d); return &moment }
	live := store.PartnerToken{ExpiresAt: now.Add(time.Hour)}
	expired := store.PartnerToken{ExpiresAt: now}
	revoked := func(ago time.Duration) store.PartnerToken {
		return store.PartnerToken{ExpiresAt: now.Add(time.Hour), RevokedAt: at(-ago)}
	}
	held := &store.Partner{}
	held.HeldBack = true
	for name, tc := range map[string]struct {
		partner *store.Partner
		token   store.PartnerToken
		void    *store.Entry
		want    bool
	}{
		"live":                           {&store.Partner{}, live, nil, true},
		"live, held back":                {held, live, nil, true},
		"expired":                        {&store.Partner{}, expired, nil, false},
		"expired, held back":             {held, expired, nil, false},
		"revoked, and the feed says so":  {&store.Partner{}, revoked(time.Hour), &store.Entry{}, false},
		"revoked, and the feed does not": {&store.Partner{}, revoked(time.Hour), nil, true},
		"revoked long ago":               {&store.Partner{}, revoked(store.FeedRetention), nil, false},
		"void":                           {&store.Partner{}, live, &store.Entry{}, false},
	} {
		if got := w.canEnd(tokens.PartnerToken{Partner: tc.partner, Token: &tc.token, Void: tc.void}); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	gone := &store.Partner{}
	gone.DeactivatedAt = at(-time.Hour)
	if w.canEnd(tokens.PartnerToken{Partner: gone, Token: &live}) {
		t.Error("of a deactivated partner")
	}
}
