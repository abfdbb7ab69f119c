package auth

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
)

var home, away = netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("203.0.113.7")

// Strangers share four places of a client, and take neither the turn nor the
// slots of the networks that are known.
func TestQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowHashes()
		stranger := ratelimit.Guess{ClientID: "old", From: away, Stranger: true}
		release, err := s.enter(t.Context(), "old", stranger)
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		waited := make(chan error, strangerWaiters)
		for i := range strangerWaiters {
			go func() {
				_, err := s.enter(ctx, "old", ratelimit.Guess{ClientID: "old", From: netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), Stranger: true})
				waited <- err
			}()
		}
		synctest.Wait()
		if _, err := s.enter(t.Context(), "old", stranger); !errors.Is(err, errLimited) {
			t.Errorf("one stranger too many: %v", err)
		}
		// Strangers of other clients take all slots that they may have.
		for i := range strangersAtOnce {
			go s.enter(ctx, string(rune('a'+i)), ratelimit.Guess{From: away, Stranger: true})
		}
		synctest.Wait()
		began := time.Now()
		owner, err := s.enter(t.Context(), "old", ratelimit.Guess{ClientID: "old", From: home})
		if err != nil || time.Since(began) > 0 {
			t.Fatalf("the owner waited %v: %v", time.Since(began), err)
		}
		owner()
		leave()
		for range strangerWaiters {
			if err := <-waited; !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("a stranger that left: %v", err)
			}
		}
		release()
		synctest.Wait()
		if len(s.waiting) != 0 {
			t.Errorf("%v are counted still", s.waiting)
		}
	})
}

// A secret that was right is remembered by the hash that it matched, whatever
// else of the client changes.
func TestRemembered(t *testing.T) {
	s := newSlowHashes()
	c := &store.Client{ID: "old", Secrets: []store.Secret{{ID: "a", Hash: "$2a$04$vad46sUE1XhvpoK6JXqD/.fLQ2VkhNB58JnWBwtVWizoJ145Uf1eq"}}}
	imported := liveImported(c, time.Now())
	if s.match(c, imported, "xyy") != nil || s.match(c, imported, "xyz") == nil {
		t.Fatal("the hash is not that of xyz")
	}
	c.Version++
	if s.findRemembered(c, imported, "xyz") == nil || s.findRemembered(c, imported, "xyy") != nil {
		t.Error("a new version of the client: what was remembered has changed")
	}
	c.Secrets[0].Hash = "$2a$04$another"
	if s.findRemembered(c, liveImported(c, time.Now()), "xyz") != nil {
		t.Error("another hash is taken for the one that matched")
	}
}

// One caller in three seconds is exempt from a limit, for each client.
func TestExemptions(t *testing.T) {
	s, now := newSlowHashes(), time.Now()
	for _, row := range []struct {
		client string
		after  time.Duration
		want   bool
	}{{"old", 0, true}, {"old", exemptEvery - 1, false}, {"other", 0, true}, {"old", exemptEvery, true}, {"old", exemptEvery + 1, false}} {
		if got := s.takeExempt(row.client, now.Add(row.after)); got != row.want {
			t.Errorf("%s after %v: %v", row.client, row.after, got)
		}
	}
}
