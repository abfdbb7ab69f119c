package redisstore_test

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// TestWritesWaitForReplicas checks that with replica_acks, what gives somebody
// something does not succeed without a replica: tokens, verifications and guesses. What
// operators change and what ends something is in force, but unconfirmed.
func TestWritesWaitForReplicas(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	s := open(t, master.Addr, func(o *redisstore.Options) {
		o.Acks = redisstore.Acks{Critical: 1, Tokens: 1, Timeout: 100 * time.Millisecond}
	})
	now := time.Now().UTC().Truncate(time.Second)
	token := store.Token{Use: store.UseClient, ClientID: "billing", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	writes := map[string]func() error{
		"AppendFeed": func() error {
			_, err := s.AppendFeed(within(t), store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, At: now})
			return err
		},
		"CreateClient": func() error { return s.Clients().Create(within(t), store.Client{ID: "c" + now.Format("150405.000")}) },
		"PutChallenge": func() error {
			return s.PutChallenge(within(t), store.Digest{1}, store.Challenge{Tries: 5, ExpiresAt: now.Add(time.Hour)})
		},
		"TryChallenge": func() error {
			err := s.TryChallenge(within(t), store.Digest{2}, store.Digest{})
			if errors.Is(err, store.ErrNotFound) {
				return nil // as expected
			}
			return err
		},
		"DropChallenge": func() error { return s.DropChallenge(within(t), store.Digest{1}) },
		"TakeGuess": func() error {
			_, _, err := s.TakeGuess(within(t), "a", store.GuessBounds{Window: time.Hour, Today: 20, InRow: 20})
			return err
		},
		"ReturnGuess":  func() error { return s.ReturnGuess(within(t), "a", store.Guesses{}, true) },
		"ResetGuesses": func() error { return s.ResetGuesses(within(t), "a") },
		"ReplaceToken": func() error { return s.ReplaceToken(within(t), store.Digest{1}, token) },
		"PutToken":     func() error { return s.PutToken(within(t), store.Digest{1}, token) },
	}
	inForce := []string{"AppendFeed", "CreateClient", "ReplaceToken", "ResetGuesses"}
	for name, write := range writes {
		if slices.Contains(inForce, name) {
			continue
		}
		if err := write(); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s without a replica: %v, want unavailable", name, err)
		}
	}
	if s.Unconfirmed() {
		t.Error("what failed counts as in force")
	}
	for _, name := range inForce {
		if err := writes[name](); err != nil || !s.Unconfirmed() {
			t.Errorf("%s without a replica: %v, unconfirmed %t, want success and unconfirmed", name, err, s.Unconfirmed())
		}
	}
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	redistest.Start(t, "--replicaof", host, port)
	r := raw(t, master.Addr)
	for deadline := time.Now().Add(patience); ; {
		if n, err := r.Wait(within(t), 1, 100*time.Millisecond).Result(); err == nil && n == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the replica did not attach")
		}
	}
	delete(writes, "CreateClient") // the first try has written it
	s = open(t, master.Addr, func(o *redisstore.Options) { o.Acks.Critical, o.Acks.Tokens = 1, 1 })
	for name, write := range writes {
		if err := write(); err != nil {
			t.Errorf("%s with a replica: %v", name, err)
		}
	}
}
