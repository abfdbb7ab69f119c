package apikeys

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/secretwatch"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

func TestRotate(t *testing.T) {
	w := newWorld(t)
	old := w.key(t, func(s *Spec) { s.Lifetime, s.SourceIPs = ptr("10d"), []string{"192.0.2.0/24"} })
	w.clock.Advance(time.Hour)
	now := w.Registry.Now()
	r, err := w.Rotate(t.Context(), operator, old.ID, 2*time.Hour)
	wants(t, "rotate", err, "", "")
	if !r.PreviousExpiresAt.Equal(now.Add(2*time.Hour)) || r.PreviousID != old.ID || !r.ExpiresAt.Equal(now.Add(10*day)) || !slices.Equal(r.SourceIPs, old.SourceIPs) {
		t.Errorf("%+v", r)
	}
	w.works(t, "the old key in its grace", old.Key, true)
	w.works(t, "the new key", r.Key, true)
	if f := w.find(t, old.Key); !f.Token.ExpiresAt.Equal(r.PreviousExpiresAt) {
		t.Errorf("the old key ends at %s", f.Token.ExpiresAt)
	}
	again, err := w.Rotate(t.Context(), operator, old.ID, 30*day)
	wants(t, "again, with a longer grace", err, "", "")
	if life := again.ExpiresAt.Sub(again.CreatedAt); life != 10*day || again.EarlierID != r.ID {
		t.Errorf("the key of the second rotation lives for %s and tells of %q", life, again.EarlierID)
	}
	if k, err := w.Registry.Get(t.Context(), old.ID); err != nil || k.ReplacedBy != again.ID {
		t.Errorf("the old key was replaced by %q, error %v", k.ReplacedBy, err)
	}
	soon := Filter{Filter: secretwatch.Filter{EndsBefore: w.clock.Now().Add(7 * day)}}
	if list, _, err := w.List(t.Context(), soon, "", 10); len(list) > 0 || err != nil {
		t.Errorf("a key that was replaced ends soon: %+v, error %v", list, err)
	}
	if !again.PreviousExpiresAt.Equal(r.PreviousExpiresAt) {
		t.Errorf("a rotation lengthens the old key's life to %s", again.PreviousExpiresAt)
	}
	w.clock.Advance(2 * time.Hour)
	w.works(t, "the old key after its grace", old.Key, false)
	_, err = w.Rotate(t.Context(), operator, old.ID, 0)
	wants(t, "of a key that has ended", err, apierr.Conflict, "")
	last, err := w.Rotate(t.Context(), operator, r.ID, 0)
	wants(t, "without grace", err, "", "")
	w.works(t, "the old key without grace", r.Key, false)
	w.works(t, "the newest key", last.Key, true)
	for _, grace := range []time.Duration{-1, 31 * day} {
		_, err = w.Rotate(t.Context(), operator, last.ID, grace)
		wants(t, "grace "+grace.String(), err, apierr.InvalidRequest, "grace")
	}
	_, err = w.Rotate(t.Context(), operator, "Zz9Zz9Zz", 0)
	wants(t, "an unknown key", err, apierr.NotFound, "")
}

// If the old key cannot be shortened, nobody gets the new one, and it does not work.
func TestRotateThatFails(t *testing.T) {
	w := newWorld(t)
	old := w.key(t, nil)
	w.store.Fail("UpdateAPIKey", store.ErrUnavailable)
	if _, err := w.Rotate(t.Context(), operator, old.ID, time.Hour); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	w.store.Heal("UpdateAPIKey")
	w.works(t, "the old key", old.Key, true)
}

// What leaked ends the keys that were made with it, and no others.
func TestEndMadeWith(t *testing.T) {
	w := newWorld(t)
	made := func(secret, token string) Created {
		b := w.bearer("acme")
		b.token.SecretID, b.found.Digest = secret, tokens.DigestOf(token)
		plain, k, err := w.createFor(t.Context(), b, "2", Request{Description: ptr("d"), Scope: ptr("cards")})
		wants(t, "make", err, "", "")
		return Created{Key: plain, View: view(&k)}
	}
	a, b, c := made("secretAA", "t1"), made("secretBB", "t1"), made("secretBB", "t2")
	end := func(rule string, with store.KeyOrigin, want ...string) {
		t.Helper()
		ended, err := w.EndMadeWith(t.Context(), operator, "acme", with)
		wants(t, rule, err, "", "")
		slices.Sort(want)
		if slices.Sort(ended); !slices.Equal(ended, want) {
			t.Errorf("%s: ended %v, want %v", rule, ended, want)
		}
	}
	jti := tokens.ID(tokens.DigestOf("t1"))
	end("nothing", store.KeyOrigin{})
	end("of another client", store.KeyOrigin{ClientID: "billing"})
	end("of a secret of another client", store.KeyOrigin{ClientID: "billing", SecretID: "secretAA"})
	end("by secret", store.KeyOrigin{ClientID: "backend", SecretID: "secretAA"}, a.ID)
	w.works(t, "of the secret", a.Key, false)
	w.works(t, "of another secret", b.Key, true)
	x, err := w.tokens.Explain(t.Context(), a.Key)
	if err != nil || x.VoidOf != "secret:backend/secretAA" || !strings.Contains(x.Detail, x.VoidOf) || x.CreatedBy != "client:backend" {
		t.Errorf("%+v, error %v", x, err)
	}
	end("by token", store.KeyOrigin{TokenID: jti}, b.ID)
	end("by the same token again", store.KeyOrigin{TokenID: jti})
	w.works(t, "of the token", b.Key, false)
	w.works(t, "of another token", c.Key, true)
	d, err := w.Rotate(t.Context(), operator, c.ID, time.Hour)
	wants(t, "rotate", err, "", "")
	byOperator := w.key(t, nil)
	end("by client, with the key of a rotation", store.KeyOrigin{ClientID: "backend"}, c.ID, d.ID)
	w.works(t, "of the client", d.Key, false)
	w.works(t, "of an operator", byOperator.Key, true)
	if ended, err := w.EndMadeWith(t.Context(), operator, "gone", store.KeyOrigin{ClientID: "backend"}); len(ended) > 0 || err != nil {
		t.Errorf("of an org that is gone: %v, %v", ended, err)
	}
}
