package clients

import (
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/store"
)

// live returns the ids of the client's live secrets, oldest first.
func (w *world) live(t *testing.T, id string) (ids []string) {
	t.Helper()
	views, err := w.Secrets(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range views {
		ids = append(ids, v.ID)
	}
	return ids
}

func (w *world) rotate(t *testing.T, grace time.Duration) Rotated {
	t.Helper()
	r, err := w.Rotate(t.Context(), by, "billing", grace)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The old secret lives for the grace, and the new one without end.
func TestRotate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.create(t, "billing", "a:read")
		minted := w.feed.Position()
		r := w.rotate(t, time.Hour)
		if r.ClientID != "billing" || r.ClientSecret == c.ClientSecret || r.PreviousExpiresAt == nil || !r.PreviousExpiresAt.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("%+v", r)
		}
		if w.dead("billing", c.SecretID, minted) || w.dead("billing", r.SecretID, minted) {
			t.Error("a rotation voids tokens")
		}
		time.Sleep(time.Hour - 1)
		if ids := w.live(t, "billing"); len(ids) != 2 || ids[0] != c.SecretID || ids[1] != r.SecretID {
			t.Errorf("within the grace: %q", ids)
		}
		time.Sleep(1) //nolint:staticcheck // one nanosecond of a fake clock
		if ids := w.live(t, "billing"); len(ids) != 1 || ids[0] != r.SecretID {
			t.Errorf("after the grace: %q", ids)
		}
	})
}

// A second rotation never lets an older secret live longer.
func TestRotateNeverLengthens(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, "billing", "a:read")
		w.rotate(t, time.Minute)
		w.rotate(t, MaxGrace)
		secrets := w.record(t, "billing").Secrets
		if len(secrets) != 3 || !secrets[0].ExpiresAt.Equal(time.Now().Add(time.Minute)) || !secrets[1].ExpiresAt.Equal(time.Now().Add(MaxGrace)) || secrets[2].ExpiresAt != nil {
			t.Errorf("%+v", secrets)
		}
		w.rotate(t, time.Second)
		secrets = w.record(t, "billing").Secrets
		for _, s := range secrets[:3] {
			if !s.ExpiresAt.Equal(time.Now().Add(time.Second)) {
				t.Errorf("a shorter grace shortens all: %+v", secrets)
			}
		}
	})
}

func TestRotateAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, "billing", "a:read")
		w.rotate(t, time.Hour)
		r := w.rotate(t, 0)
		if ids := w.live(t, "billing"); len(ids) != 1 || ids[0] != r.SecretID {
			t.Errorf("%q", ids)
		}
	})
}

// A client has at most MaxLiveSecrets live ones. Grace 0 makes room.
func TestRotateIsBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, "billing", "a:read")
		for range MaxLiveSecrets - 1 {
			w.rotate(t, time.Hour)
		}
		before := w.record(t, "billing")
		_, err := w.Rotate(t.Context(), by, "billing", time.Hour)
		refused(t, "one too many", err, apierr.Conflict, "")
		if after := w.record(t, "billing"); len(after.Secrets) != MaxLiveSecrets || after.Version != before.Version {
			t.Errorf("a refused rotation wrote %+v", after)
		}
		w.rotate(t, 0)
		if ids := w.live(t, "billing"); len(ids) != 1 {
			t.Errorf("%q", ids)
		}
	})
}

func TestRotateRejections(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, "billing", "a:read")
		w.create(t, "off", "a:read")
		_, err := w.Deactivate(t.Context(), by, "off")
		refused(t, "deactivate", err, "", "")
		for _, row := range []struct {
			rule, id string
			grace    time.Duration
			code     apierr.Code
			field    string
		}{
			{"a grace that is negative", "billing", -1, apierr.InvalidRequest, "grace"},
			{"a grace that is too long", "billing", MaxGrace + 1, apierr.InvalidRequest, "grace"},
			{"the longest grace", "billing", MaxGrace, "", ""},
			{"a deactivated client", "off", 0, apierr.Conflict, ""},
			{"no such client", "none", 0, apierr.NotFound, ""},
		} {
			r, err := w.Rotate(t.Context(), by, row.id, row.grace)
			refused(t, row.rule, err, row.code, row.field)
			if (r.ClientSecret != "") != (row.code == "") {
				t.Errorf("%s: %+v", row.rule, r)
			}
		}
	})
}

// A rotation that is repeated because of a rival counts the rival's secret.
func TestRotateBesideAnother(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, "billing", "a:read")
		w.Hook("UpdateClient", func() {
			w.Heal("UpdateClient")
			w.rotate(t, time.Minute)
		})
		r := w.rotate(t, time.Hour)
		secrets := w.record(t, "billing").Secrets
		if len(secrets) != 3 || secrets[2].ID != r.SecretID || !secrets[0].ExpiresAt.Equal(time.Now().Add(time.Minute)) || !secrets[1].ExpiresAt.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("%+v", secrets)
		}
	})
}

// EndSecret ends one secret, and its tokens only if asked to.
func TestEndSecret(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.create(t, "billing", "a:read").SecretID
		second := w.rotate(t, time.Hour).SecretID
		minted := w.feed.Position()
		refused(t, "end", w.EndSecret(t.Context(), by, "billing", first, false), "", "")
		if ids := w.live(t, "billing"); len(ids) != 1 || ids[0] != second || w.dead("billing", first, minted) {
			t.Errorf("live: %q; its tokens are void: %v", ids, w.dead("billing", first, minted))
		}
		ended := *w.record(t, "billing").Secrets[0].ExpiresAt
		time.Sleep(time.Minute)
		refused(t, "void after the end", w.EndSecret(t.Context(), by, "billing", first, true), "", "")
		if !w.dead("billing", first, minted) || w.dead("billing", second, minted) {
			t.Error("not exactly the tokens of this secret are void")
		}
		if at := *w.record(t, "billing").Secrets[0].ExpiresAt; !at.Equal(ended) {
			t.Errorf("the end moved from %v to %v", ended, at)
		}
		refused(t, "no such secret", w.EndSecret(t.Context(), by, "billing", "none", true), apierr.NotFound, "")
		refused(t, "no such client", w.EndSecret(t.Context(), by, "none", first, true), apierr.NotFound, "")
	})
}

// A secret stays in the record as long as one of its tokens may be asked about.
func TestLongEndedSecretsAreDropped(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.create(t, "billing", "a:read")
		w.rotate(t, 0)
		time.Sleep(store.FeedRetention)
		w.rotate(t, time.Hour)
		if s := w.record(t, "billing").Secrets; len(s) != 3 {
			t.Errorf("after %v: %d secrets, want 3", store.FeedRetention, len(s))
		}
		time.Sleep(time.Second)
		if _, err := w.Update(t.Context(), by, "billing", 0, Spec{Name: to("Billing")}); err != nil {
			t.Fatal(err)
		}
		if s := w.record(t, "billing").Secrets; len(s) != 2 {
			t.Errorf("a second later: %d secrets, want 2", len(s))
		}
	})
}

// FindSecrets finds secrets of any client, live or ended, in one search.
func TestFindSecrets(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		another := w.create(t, "another", "a:read")
		c := w.create(t, "billing", "a:read")
		w.rotate(t, 0)
		lists := w.Calls("ListClients")
		found, err := w.FindSecrets(t.Context(), c.ClientSecret, "made up", another.ClientSecret)
		if err != nil || len(found) != 2 || w.Calls("ListClients") != lists+1 {
			t.Errorf("%v, %v, after %d reads", found, err, w.Calls("ListClients")-lists)
		}
		if x := found[c.ClientSecret]; x.Owner != "client:billing" || x.ID != c.SecretID || x.State != secretwatch.Ended || x.EndedBy != by.Name || x.EndedAt.IsZero() {
			t.Errorf("%+v", x)
		}
		if x := found[another.ClientSecret]; x.Owner != "client:another" || x.State != secretwatch.Active || !x.EndedAt.IsZero() {
			t.Errorf("%+v", x)
		}
		last := c.ClientSecret[:len(c.ClientSecret)-1]
		for _, plain := range []string{"", "made up", last + "A", last + "B"} {
			if plain == c.ClientSecret {
				continue
			}
			if found, err := w.FindSecrets(t.Context(), plain); err != nil || len(found) != 0 {
				t.Errorf("not a secret of ours: %v, %v", found, err)
			}
		}
	})
}
