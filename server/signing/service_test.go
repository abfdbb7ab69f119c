package signing

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// TestFirstKey: two replicas that need a key at the same time make one.
func TestFirstKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.replica(), w.replica()
		a.advances(t, "signing") // List makes the first key
		if one, other := a.signs(t, b), b.signs(t, a); one != other {
			t.Errorf("the replicas sign with %s and %s", one, other)
		}
		if got := w.audited(); !slices.Equal(got, []string{"signing_key.create system done"}) {
			t.Errorf("audit %q", got)
		}
	})
}

// TestNoKeyWithoutNeed: a server whose resource servers ask for JSON has no key.
func TestNoKeyWithoutNeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		ok(t, a.advance(t.Context()))
		if _, err := w.store.SigningKeys().Get(t.Context(), store.SigningKeysID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("there is a key: %v", err)
		}
	})
}

// TestRotation: a key is published a day before it signs, and for 30 days after.
func TestRotation(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.replica(), w.replica()
		first := a.signs(t, b)
		w.pass(rotateAfter - time.Minute)
		a.advances(t, "signing")
		w.pass(2 * time.Minute)
		a.advances(t, "signing next")
		b.advances(t, "signing next")
		w.pass(publishFor - time.Minute)
		b.advances(t, "signing next")
		if got := b.signs(t, a); got != first {
			t.Error("the next key signs too early")
		}
		w.pass(2 * time.Minute)
		b.advances(t, "retired signing")
		a.advances(t, "retired signing")
		if got := a.signs(t, b); got == first {
			t.Error("the old key still signs")
		}
		w.pass(keepFor - 3*time.Minute)
		a.advances(t, "retired signing")
		w.pass(5 * time.Minute)
		a.advances(t, "signing")
		if _, there := b.published(t)[first]; there {
			t.Error("the first key is still published")
		}
		want := []string{
			"signing_key.create system done", "signing_key.publish system done", "signing_key.activate system done", "signing_key.expire system done",
		}
		if d := cmp.Diff(want, w.audited()); d != "" {
			t.Errorf("audit:\n%s", d)
		}
	})
}

// TestSeveralStepsAtOnce: after a long pause nothing signs before it was published.
func TestSeveralStepsAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		a.advances(t, "signing")
		w.pass(3 * rotateAfter)
		a.advances(t, "signing next")
		w.pass(3 * rotateAfter)
		a.advances(t, "retired signing")
	})
}

// TestRotateByHand has the ways to rotate and remove keys.
func TestRotateByHand(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		ctx, first := t.Context(), a.signs(t, a)
		rotate := func(now bool, want string) {
			t.Helper()
			_, err := a.Rotate(ctx, operator, now)
			ok(t, err)
			a.advances(t, want)
		}
		rotate(false, "signing next")
		if _, err := a.Rotate(ctx, operator, false); !errors.Is(err, errNextExists) {
			t.Errorf("a second next key: %v", err)
		}
		rotate(true, "retired signing") // the key that was next
		rotate(true, "retired retired signing")
		ok(t, a.Remove(ctx, operator, first))
		a.advances(t, "retired signing")
		signing := a.signs(t, a)
		ok(t, a.Remove(ctx, operator, signing))
		a.advances(t, "retired signing")
		if _, there := a.published(t)[signing]; there || a.signs(t, a) == signing {
			t.Error("the key that was removed is still in use")
		}
		rotate(false, "retired signing next")
		views, err := a.List(ctx)
		ok(t, err)
		ok(t, a.Remove(ctx, operator, views[2].ID))
		a.advances(t, "retired signing")
		for _, id := range []string{signing, "", "nothing"} {
			var refused *apierr.Error
			if err := a.Remove(ctx, operator, id); !errors.As(err, &refused) || refused.Code != apierr.NotFound {
				t.Errorf("remove %q: %v", id, err)
			}
		}
	})
}

// TestKeysAreBounded: many rotations in a row drop the oldest keys.
func TestKeysAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		for range maxKeys + 3 {
			_, err := a.Rotate(t.Context(), operator, true)
			ok(t, err)
		}
		if n := len(a.published(t)); n != maxKeys {
			t.Errorf("%d keys, want %d", n, maxKeys)
		}
		a.signs(t, a)
	})
}

// TestNoReplicaSignsWithAnUnpublishedKey rotates and removes keys while two replicas
// sign: at each moment, what one signs can be verified with what the other publishes,
// except for the moment in which a removed key is still known to one of them.
func TestNoReplicaSignsWithAnUnpublishedKey(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.replica(), w.replica()
		a.signs(t, b)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i, r := range []replica{a, b, a} {
				_, err := r.Rotate(t.Context(), operator, true)
				if err == nil && i > 0 {
					var views []View
					if views, err = r.List(t.Context()); err == nil {
						err = r.Remove(t.Context(), operator, views[len(views)-1].ID) // the one that signs
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		}()
		checked := 0
		for ; ; checked++ {
			a.signs(t, b)
			b.signs(t, a)
			time.Sleep(20 * time.Millisecond)
			select {
			case <-done:
				if checked < 50 {
					t.Errorf("only %d checks", checked)
				}
				return
			default:
			}
		}
	})
}

// TestHeldKeysAreReplaced: if nobody knows what an older store has lost, a key that
// was removed may be among its keys.
func TestHeldKeysAreReplaced(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		first := a.signs(t, a)
		held, err := w.store.SigningKeys().Get(t.Context(), store.SigningKeysID)
		ok(t, err)
		held.HeldBack = true
		was := held.Version
		held.Version++
		ok(t, w.store.SigningKeys().Restore(t.Context(), held, was))
		b := w.replica() // it has not cached the record
		second := b.signs(t, b)
		if _, there := b.published(t)[first]; there || second == first {
			t.Error("a key that is held back is in use")
		}
		time.Sleep(2 * staleness)
		if got := a.signs(t, b); got != second {
			t.Errorf("the other replica signs with %s", got)
		}
		b.advances(t, "signing")
	})
}

// TestOlderRecordIsNotUsed: the feed has the newest form of the record.
func TestOlderRecordIsNotUsed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		removed := a.signs(t, a)
		old, err := w.store.SigningKeys().Get(t.Context(), store.SigningKeysID)
		ok(t, err)
		ok(t, a.Remove(t.Context(), operator, removed))
		now, err := w.store.SigningKeys().Get(t.Context(), store.SigningKeysID)
		ok(t, err)
		ok(t, w.store.SigningKeys().Restore(t.Context(), old, now.Version))
		b := w.replica()
		if _, there := b.published(t)[removed]; there {
			t.Error("an older store brought a removed key back")
		}
	})
}

// TestUnreadableKeys: a damaged record signs nothing and publishes nothing.
func TestUnreadableKeys(t *testing.T) {
	good, err := newKey(time.Unix(1, 0))
	ok(t, err)
	good.SignsSince = good.CreatedAt
	if good.ID[0] == '-' {
		t.Errorf("%s looks like a flag", good.ID)
	}
	for what, edit := range map[string]func(k *store.SigningKeys){
		"no key":          func(k *store.SigningKeys) { k.Keys = nil },
		"none signs":      func(k *store.SigningKeys) { k.Keys[0].SignsSince = time.Time{} },
		"short":           func(k *store.SigningKeys) { k.Keys[0].Private = k.Keys[0].Private[1:] },
		"zero":            func(k *store.SigningKeys) { k.Keys[0].Private = make([]byte, 32) },
		"id of another":   func(k *store.SigningKeys) { k.Keys[0].ID = "x" },
		"another private": func(k *store.SigningKeys) { k.Keys[0].Private[31] ^= 1 },
	} {
		key := good
		key.Private = slices.Clone(good.Private)
		record := store.SigningKeys{ID: store.SigningKeysID, Keys: []store.SigningKey{key}}
		edit(&record)
		if _, err := parse(&record); !errors.Is(err, store.ErrUnknownRecord) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestStoreFails: without the store there is no first key, and asking again at once
// does not ask the store again.
func TestStoreFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		w.store.Fail("CreateSigningKey", store.ErrUnavailable)
		for range 20 {
			if _, err := a.AppendPublished(t.Context(), nil); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("error %v", err)
			}
		}
		if n := w.store.Calls("CreateSigningKey"); n > 2 {
			t.Errorf("%d tries", n)
		}
		w.store.Heal("CreateSigningKey")
		time.Sleep(2 * retryAfter)
		synctest.Wait()
		a.signs(t, a)
	})
}

func BenchmarkSign(b *testing.B) {
	stored, err := newKey(time.Unix(1, 0))
	if err != nil {
		b.Fatal(err)
	}
	k, _, err := parseKey(&stored)
	if err != nil {
		b.Fatal(err)
	}
	claims, room := make([]byte, 400), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.appendSigned(room, claims); err != nil {
			b.Fatal(err)
		}
	}
}

// TestOtherKeysInTheSameVersion: a record whose version is known may have other keys,
// because the store came back older and its keys were replaced.
func TestOtherKeysInTheSameVersion(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.replica()
		former := a.signs(t, a)
		record, err := w.store.SigningKeys().Get(t.Context(), store.SigningKeysID)
		ok(t, err)
		other, err := newKey(w.now())
		ok(t, err)
		other.SignsSince = other.CreatedAt
		record.Keys = []store.SigningKey{other}
		ok(t, w.store.SigningKeys().Restore(t.Context(), record, record.Version))
		ok(t, a.feed.Append(t.Context(), store.Entry{Kind: store.EntryChange, Key: store.PrincipalSigningKeys(store.SigningKeysID), By: "test"}))
		if got := a.signs(t, a); got != other.ID || got == former {
			t.Errorf("signs with %s, want %s", got, other.ID)
		}
	})
}
