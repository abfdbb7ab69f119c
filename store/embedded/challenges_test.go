package embedded

import (
	"errors"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// TestExpiredChallengesAreDropped: new challenges start the sweep, but not each
// of them does. A challenge of a newer grantd stays.
func TestExpiredChallengesAreDropped(t *testing.T) {
	clock := storetest.NewClock()
	s := open(t, t.TempDir(), clock)
	kept := func() (n int) {
		err := s.db.View(func(tx *bbolt.Tx) error {
			n = challenges(tx).Inspect().KeyN
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	put := func(id uint64, life time.Duration) {
		t.Helper()
		c := store.Challenge{Tries: 5, ExpiresAt: clock.Now().Add(life)}
		if err := s.PutChallenge(t.Context(), testDigest(id), c); err != nil {
			t.Fatal(err)
		}
	}
	newer := s.write(t.Context(), "test", func(b *batch) error { return challenges(b.tx).Put([]byte("newer"), []byte(`{"v":2}`)) })
	if newer != nil {
		t.Fatal(newer)
	}
	for i := range uint64(10) {
		put(i, 10*time.Second)
	}
	put(10, time.Hour)
	clock.Advance(challengeSweep - time.Second)
	put(11, time.Hour)
	if n := kept(); n != 13 {
		t.Errorf("%d challenges before the sweep, want 13", n)
	}
	clock.Advance(time.Second)
	put(12, time.Hour)
	if n := kept(); n != 4 {
		t.Errorf("%d challenges after the sweep, want 4", n)
	}
}

// TestUnreadableVerifications: no part of a newer grantd's record is used.
func TestUnreadableVerifications(t *testing.T) {
	s := open(t, t.TempDir(), storetest.NewClock())
	d := testDigest(1)
	for _, record := range []string{`{"v":2}`, `{}`, `{`, ``} {
		err := s.write(t.Context(), "test", func(b *batch) error {
			return errors.Join(challenges(b.tx).Put(d[:], []byte(record)), guesses(b.tx).Put([]byte("a"), []byte(record)))
		})
		if err != nil {
			t.Fatal(err)
		}
		_, getErr := s.GetGuesses(t.Context(), "a", time.Hour)
		_, _, takeErr := s.TakeGuess(t.Context(), "a", store.GuessBounds{})
		for name, err := range map[string]error{
			"try": s.TryChallenge(t.Context(), d, d), "get": getErr, "take": takeErr, "return": s.ReturnGuess(t.Context(), "a", store.Guesses{}, true),
		} {
			if !errors.Is(err, store.ErrUnknownRecord) {
				t.Errorf("%s of %q: %v", name, record, err)
			}
		}
		if err := errors.Join(s.DropChallenge(t.Context(), d), s.ResetGuesses(t.Context(), "a")); err != nil {
			t.Errorf("dropped and reset: %v", err)
		}
	}
}
