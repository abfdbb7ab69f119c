package embedded

import (
	"errors"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/tests/poll"
)

// hoursOnDisk returns the number of hour buckets.
func hoursOnDisk(t *testing.T, s *Store) int {
	t.Helper()
	n := 0
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tokens(tx).ForEachBucket(func([]byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// indexed returns the number of tokens in the index.
func (x *index) indexed() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := 0
	for _, h := range x.hours {
		n += len(h.seqs)
	}
	return n
}

func TestIndexIsBuiltWhenOpened(t *testing.T) {
	const stored = 1000
	clock, folder := storetest.NewClock(), t.TempDir()
	s := open(t, folder, clock)
	putMany(t, s, stored, clock.Now())
	closeStore(t, s)

	s = open(t, folder, clock)
	if n := s.index.indexed(); n != stored {
		t.Errorf("%d tokens are known, want %d", n, stored)
	}
	for i := range uint64(stored) {
		if _, err := s.GetToken(t.Context(), testDigest(i)); err != nil {
			t.Fatalf("token %d: %v", i, err)
		}
	}
}

func TestExpiredHoursAreDropped(t *testing.T) {
	const stored = 400 // a quarter for each life from one hour to four
	expire := func(t *testing.T, s *Store, clock *storetest.Clock, drop func(s *Store)) {
		if n := hoursOnDisk(t, s); n != 4 {
			t.Fatalf("%d hours, want 4", n)
		}
		clock.Advance(3*time.Hour + store.TokenKept) // the first two lives are over, and their hours
		drop(s)
		poll.AwaitTrue(t, poll.Patience, "hours to go", func() bool { return hoursOnDisk(t, s) == 2 && s.index.indexed() == stored/2 })
		clock.Advance(3 * time.Hour)
		drop(s)
		poll.AwaitTrue(t, poll.Patience, "the last hours to go", func() bool { return hoursOnDisk(t, s) == 0 && s.index.indexed() == 0 })
	}
	t.Run("with the next write", func(t *testing.T) {
		clock := storetest.NewClock()
		s := open(t, t.TempDir(), clock)
		putMany(t, s, stored, clock.Now())
		expire(t, s, clock, func(s *Store) {
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("without any write", func(t *testing.T) {
		clock := storetest.NewClock()
		s, err := openSweeping(Options{Path: t.TempDir(), Now: clock.Now, Elapsed: clock.Elapsed}, time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeStore(t, s) })
		putMany(t, s, stored, clock.Now())
		expire(t, s, clock, func(*Store) {})
	})
	t.Run("while it was closed", func(t *testing.T) {
		clock, folder := storetest.NewClock(), t.TempDir()
		s := open(t, folder, clock)
		putMany(t, s, stored, clock.Now())
		closeStore(t, s)
		clock.Advance(6 * time.Hour)
		s = open(t, folder, clock)
		poll.AwaitTrue(t, poll.Patience, "hours to go", func() bool { return hoursOnDisk(t, s) == 0 && s.index.indexed() == 0 })
	})
}

func TestTokenOfANewerVersionIsNotActive(t *testing.T) {
	clock := storetest.NewClock()
	s := open(t, t.TempDir(), clock)
	if err := s.PutToken(t.Context(), testDigest(1), testToken(clock.Now(), time.Hour)); err != nil {
		t.Fatal(err)
	}
	at, _ := s.index.find(keyOf(testDigest(1)))
	err := s.write(t.Context(), "spoil", func(b *batch) error {
		d := testDigest(1)
		return b.putToken(keyOf(d), at.hour, append(d[:], 99, 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetToken(t.Context(), testDigest(1)); !errors.Is(err, store.ErrUnknownRecord) {
		t.Errorf("get: error %v", err)
	}
	err = s.ReplaceToken(t.Context(), testDigest(1), testToken(clock.Now(), time.Hour))
	if !errors.Is(err, store.ErrUnknownRecord) {
		t.Errorf("replace: error %v", err)
	}
}

// TestPutsOfOneTokenInOneBatch: the index does not know yet what the batch has
// written. Even so, no second copy may remain: it would make a revoked token
// active again when the index is rebuilt.
func TestPutsOfOneTokenInOneBatch(t *testing.T) {
	clock, folder := storetest.NewClock(), t.TempDir()
	s := open(t, folder, clock)
	put := func(life time.Duration) func() error {
		return func() error { return s.PutToken(t.Context(), testDigest(1), testToken(clock.Now(), life)) }
	}
	wantErrors(t, oneBatch(t, s, put(time.Hour), put(time.Hour), put(3*time.Hour), put(5*time.Hour)), nil, nil, nil, nil)
	wantErrors(t, oneBatch(t, s, put(2*time.Hour), put(4*time.Hour)), nil, nil)
	onlyCopy(t, s)
	closeStore(t, s)
	s = open(t, folder, clock)
	onlyCopy(t, s)
	got, err := s.GetToken(t.Context(), testDigest(1))
	if want := testToken(clock.Now(), 4*time.Hour); err != nil || !got.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("ends %v, error %v, want %v", got.ExpiresAt, err, want.ExpiresAt)
	}
}

// TestCommitThatFailedButReachedTheDisk: the caller repeats its write, which
// must find the first.
func TestCommitThatFailedButReachedTheDisk(t *testing.T) {
	clock := storetest.NewClock()
	s := open(t, t.TempDir(), clock)
	d, token := testDigest(1), testToken(clock.Now(), time.Hour)
	lost := 0
	err := s.db.Update(func(tx *bbolt.Tx) error {
		lost = tx.ID()
		b := &batch{tx: tx, index: &s.index, tokens: map[digestKey]move{}}
		return b.putToken(keyOf(d), hourOf(token.ExpiresAt), tokenValue(d, &token))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), "remember the failure", func(*batch) error {
		s.lostTx = lost
		return errUnchanged
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutToken(t.Context(), d, token); err != nil {
		t.Fatal(err)
	}
	onlyCopy(t, s)
}

// onlyCopy fails unless there is one token on the disk and in the index.
func onlyCopy(t *testing.T, s *Store) {
	t.Helper()
	n := 0
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tokens(tx).ForEachBucket(func(name []byte) error {
			return tokens(tx).Bucket(name).ForEach(func(_, _ []byte) error { n++; return nil })
		})
	})
	if err != nil || n != 1 || s.index.indexed() != 1 {
		t.Errorf("%d copies on the disk, %d in the index, error %v", n, s.index.indexed(), err)
	}
}
