package clients

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// end returns the end of the client's secret, nil if it does not expire.
func (w *world) end(t *testing.T, secretID string) *time.Time {
	t.Helper()
	secrets := w.record(t, "billing").Secrets
	i := slices.IndexFunc(secrets, func(s store.Secret) bool { return s.ID == secretID })
	if i < 0 {
		t.Fatalf("no secret %s", secretID)
	}
	return secrets[i].ExpiresAt
}

// used records a use of the secret now.
func (w *world) used(t *testing.T, secretID string) {
	t.Helper()
	use := store.Use{Owner: store.PrincipalClient("billing"), ID: secretID, Count: 1, LastAt: time.Now()}
	if err := w.AddUses(t.Context(), []store.Use{use}); err != nil {
		t.Fatal(err)
	}
}

// TestOlderSecrets checks that a rotation tells the end of each older secret, that
// previous_expires_at is the first of them, and which of them is in use and ends
// before the grace.
func TestOlderSecrets(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.create(t, "billing", "a:read").SecretID
		soon := time.Now().Add(time.Minute)
		second := w.rotate(t, time.Minute).SecretID
		w.used(t, first)
		time.Sleep(30 * time.Second)
		r := w.rotate(t, 24*time.Hour)
		if !r.PreviousExpiresAt.Equal(soon) || len(r.OlderSecrets) != 2 {
			t.Fatalf("%+v, want the end %v", r, soon)
		}
		inUse, unused := r.OlderSecrets[0], r.OlderSecrets[1]
		if inUse.ID != first || !inUse.ExpiresAt.Equal(soon) || !inUse.EndsEarly || inUse.LastUsedAt == nil || !inUse.LastUsedAt.Equal(soon.Add(-time.Minute)) {
			t.Errorf("the secret in use: %+v", inUse)
		}
		if unused.ID != second || !unused.ExpiresAt.Equal(time.Now().Add(24*time.Hour)) || unused.EndsEarly || unused.LastUsedAt != nil {
			t.Errorf("the unused secret: %+v", unused)
		}
		w.used(t, second)
		time.Sleep(usedLately + time.Second)
		w.Fail("ListUses", store.ErrUnavailable)
		if r = w.rotate(t, 48*time.Hour); r.ClientSecret == "" || len(r.OlderSecrets) != 2 || !r.OlderSecrets[0].EndsEarly {
			t.Errorf("uses that cannot be read: %+v", r)
		}
		w.Heal("ListUses")
		if r = w.rotate(t, 48*time.Hour); r.OlderSecrets[0].ID != second || r.OlderSecrets[0].EndsEarly {
			t.Errorf("a use long ago: %+v", r)
		}
		if r = w.rotate(t, 0); !r.PreviousExpiresAt.Equal(time.Now()) || r.OlderSecrets[0].EndsEarly {
			t.Errorf("without grace: %+v", r)
		}
	})
}

// TestUndo checks that undoing a rotation ends the newest secret with its tokens, and
// gives every secret that still works its former end back.
func TestUndo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.create(t, "billing", "a:read").SecretID
		second := w.rotate(t, 48*time.Hour).SecretID
		former := *w.end(t, first)
		minted := w.feed.Position()
		third := w.rotate(t, time.Hour).SecretID
		time.Sleep(time.Minute)
		undone, err := w.Undo(t.Context(), by, "billing")
		if err != nil || undone.EndedSecretID != third || len(undone.Restored) != 2 {
			t.Fatalf("%+v, %v", undone, err)
		}
		if end := w.end(t, first); !end.Equal(former) || w.end(t, second) != nil {
			t.Errorf("ends: %v and %v, want %v and none", end, w.end(t, second), former)
		}
		if ids := w.live(t, "billing"); !slices.Equal(ids, []string{first, second}) {
			t.Errorf("live: %q", ids)
		}
		if !w.dead("billing", third, minted) || w.dead("billing", second, minted) {
			t.Error("not exactly the tokens of the undone secret are void")
		}
		_, err = w.Undo(t.Context(), by, "billing")
		refused(t, "the same again", err, apierr.Conflict, "")
		_, err = w.ExtendSecret(t.Context(), by, "billing", third, time.Hour)
		refused(t, "extending the undone secret", err, apierr.Conflict, "")
	})
}

// TestUndoRejections checks that an undo never leaves a client without a secret, and
// never revives one.
func TestUndoRejections(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.create(t, "billing", "a:read").SecretID
		_, err := w.Undo(t.Context(), by, "billing")
		refused(t, "the only secret", err, apierr.Conflict, "")
		w.rotate(t, time.Minute)
		time.Sleep(time.Minute)
		_, err = w.Undo(t.Context(), by, "billing")
		refused(t, "the older one has expired", err, apierr.Conflict, "")
		w.rotate(t, time.Hour)
		leaked := w.record(t, "billing").Secrets[1].ID
		refused(t, "leak", w.EndSecret(t.Context(), by, "billing", leaked, true), "", "")
		_, err = w.Undo(t.Context(), by, "billing")
		refused(t, "the older one was ended", err, apierr.Conflict, "")
		if ids := w.live(t, "billing"); len(ids) != 1 || ids[0] == first || ids[0] == leaked {
			t.Errorf("live: %q", ids)
		}
		_, err = w.Undo(t.Context(), by, "none")
		refused(t, "no such client", err, apierr.NotFound, "")
	})
}

// TestExtendSecret checks that an extension counts from now, and ends 30 days after
// the first end.
func TestExtendSecret(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.create(t, "billing", "a:read").SecretID
		extend := func(d time.Duration) (Extended, error) {
			return w.ExtendSecret(t.Context(), by, "billing", first, d)
		}
		_, err := extend(time.Hour)
		refused(t, "a secret that does not expire", err, apierr.Conflict, "")
		w.rotate(t, time.Hour)
		until := time.Now().Add(time.Hour + MaxExtension)
		time.Sleep(59 * time.Minute)
		x, err := extend(24 * time.Hour)
		if err != nil || !x.ExpiresAt.Equal(time.Now().Add(24*time.Hour)) || !x.ExtendableUntil.Equal(until) || !w.end(t, first).Equal(x.ExpiresAt) {
			t.Fatalf("%+v, %v", x, err)
		}
		for _, row := range []struct {
			rule string
			d    time.Duration
			code apierr.Code
		}{
			{"no time", 0, apierr.InvalidRequest},
			{"a negative time", -time.Hour, apierr.InvalidRequest},
			{"shorter than it works anyway", time.Hour, apierr.InvalidRequest},
			{"too long", time.Until(until) + time.Second, apierr.InvalidRequest},
			{"far too long", 1<<63 - 1, apierr.InvalidRequest},
			{"the longest", time.Until(until), ""},
		} {
			_, err := extend(row.d)
			field := ""
			if row.code != "" {
				field = "for"
			}
			refused(t, row.rule, err, row.code, field)
		}
		time.Sleep(time.Hour)
		w.rotate(t, time.Minute) // a rotation shortens it, and its first end stays
		if x, err = extend(time.Hour); err != nil || !x.ExtendableUntil.Equal(until) {
			t.Errorf("after another rotation: %+v, %v", x, err)
		}
		time.Sleep(time.Hour)
		_, err = extend(time.Hour)
		refused(t, "a secret that has expired", err, apierr.Conflict, "")
		_, err = w.ExtendSecret(t.Context(), by, "billing", "none", time.Hour)
		refused(t, "no such secret", err, apierr.NotFound, "")
		time.Sleep(store.FeedRetention + time.Minute)
		w.rotate(t, time.Minute) // forgets the first secret
		_, err = extend(time.Hour)
		refused(t, "a secret that ended long ago", err, apierr.NotFound, "")
		if err == nil || !strings.Contains(err.Error(), "no ended secret works again: rotate") {
			t.Errorf("a secret that ended long ago: %v does not say what to do", err)
		}
	})
}

// TestEndedNeverExtended checks that a secret that was ended stays ended, also where
// the clock of this process is behind that of the one that ended it.
func TestEndedNeverExtended(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.create(t, "billing", "a:read").SecretID
		w.rotate(t, time.Hour)
		refused(t, "end", w.EndSecret(t.Context(), by, "billing", first, true), "", "")
		if _, err := w.Change(t.Context(), registry.Step[store.Client]{By: by, Action: "test", ID: "billing", Edit: func(c *store.Client) error {
			ahead := time.Now().Add(time.Minute)
			c.Secrets[0].ExpiresAt = &ahead
			return nil
		}}); err != nil {
			t.Fatal(err)
		}
		_, err := w.ExtendSecret(t.Context(), by, "billing", first, time.Hour)
		refused(t, "an ended secret", err, apierr.Conflict, "")
		if ids := w.live(t, "billing"); slices.Contains(ids, first) {
			t.Errorf("live: %q", ids)
		}
	})
}
