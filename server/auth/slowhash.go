package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/server/ratelimit"
	"github.com/grantd/grantd/store"
)

const (
	// knownAtOnce is how many slow checks run at the same time for callers in
	// networks from which their client authenticated before, of all clients
	// together. strangersAtOnce is the most for all others.
	knownAtOnce     = 2
	strangersAtOnce = 2

	slowWait = 5 * time.Second // for a turn
	// knownWaiters may wait in one known network for one client, and
	// strangerWaiters for one client everywhere else.
	knownWaiters    = 32
	strangerWaiters = 4
	// exemptEvery: so often, a caller in a known network of a client gets a
	// check although failures from that network are over a limit. Without it,
	// the client could not get in after a restart while somebody guesses behind
	// the same proxy.
	exemptEvery   = 3 * time.Second
	maxRemembered = 10_000
)

// slowHashes checks secrets against imported hashes. Callers in networks that a
// client got in from before and all others have separate turns: one at a time
// for each client, and few at the same time for all. It remembers a right secret
// as an HMAC under a key that only this process has, tied to the hash it
// matched. The store keeps no such HMAC: with its key beside it, that would help
// a thief of the store to guess the secret without the slow hash.
type slowHashes struct {
	key              []byte
	known, strangers *semaphore.Weighted
	turns            sync.Map // turn → *semaphore.Weighted; only clients with imported secrets
	remember         *otter.Cache[string, [sha256.Size]byte]
	exempted         *otter.Cache[string, time.Time] // client id → when its last exemption was

	mu      sync.Mutex
	waiting map[queue]int
}

// turn is what one slow check at a time has.
type turn struct {
	client   string
	stranger bool
}

// queue is where callers wait for a turn; strangers from everywhere are in one.
type queue struct {
	turn
	network string
}

func newSlowHashes() *slowHashes {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
	return &slowHashes{
		key:   key,
		known: semaphore.NewWeighted(knownAtOnce),
		// One processor is left for known networks and for all that needs no
		// slow hash.
		strangers: semaphore.NewWeighted(int64(min(max(runtime.GOMAXPROCS(0)-1, 1), strangersAtOnce))),
		waiting:   map[queue]int{},
		remember:  otter.Must(&otter.Options[string, [sha256.Size]byte]{MaximumSize: maxRemembered}),
		exempted:  otter.Must(&otter.Options[string, time.Time]{MaximumSize: maxRemembered}),
	}
}

// liveImported returns the client's live imported secrets. Most clients have
// none.
func liveImported(c *store.Client, now time.Time) []*store.Secret {
	var imported []*store.Secret
	for i := range c.Secrets {
		if credential.IsImported(c.Secrets[i].Hash) && c.Secrets[i].Live(now) {
			imported = append(imported, &c.Secrets[i])
		}
	}
	return imported
}

// findRemembered returns the secret that the presented value matched before, or
// nil.
func (s *slowHashes) findRemembered(c *store.Client, imported []*store.Secret, presented string) *store.Secret {
	for _, secret := range imported {
		if s.remembered(c, secret, presented) {
			return secret
		}
	}
	return nil
}

// match returns the secret that the presented value matches, or nil. The caller
// must have called enter.
func (s *slowHashes) match(c *store.Client, imported []*store.Secret, presented string) *store.Secret {
	for _, secret := range imported {
		if credential.MatchesImported(secret.Hash, presented) {
			s.remember.Set(c.ID+"/"+secret.ID, s.mac(c, secret, presented))
			return secret
		}
	}
	return nil
}

// takeExempt reports whether the caller may try in spite of a limit, and takes
// the exemption.
func (s *slowHashes) takeExempt(clientID string, now time.Time) (taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.exempted.GetIfPresent(clientID); ok && now.Sub(last) < exemptEvery && !now.Before(last) {
		return false
	}
	s.exempted.Set(clientID, now)
	return true
}

// enter waits for a turn and a slot. Few may wait for one client, so that guesses
// do not keep others out.
// Errors: errLimited, store.ErrUnavailable.
func (s *slowHashes) enter(ctx context.Context, clientID string, g ratelimit.Guess) (release func(), err error) {
	mine := turn{clientID, g.Stranger}
	q, room, slots := queue{turn: mine}, strangerWaiters, s.strangers
	if !g.Stranger {
		q.network, room, slots = ratelimit.Network(g.From), knownWaiters, s.known
	}
	leave, ok := s.joinQueue(q, room)
	if !ok {
		return nil, errLimited
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, slowWait)
	defer cancel()
	found, _ := s.turns.LoadOrStore(mine, semaphore.NewWeighted(1))
	one := found.(*semaphore.Weighted)
	if err := one.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("waiting for a secret check: %w: %w", err, store.ErrUnavailable)
	}
	if err := slots.Acquire(ctx, 1); err != nil {
		one.Release(1)
		return nil, fmt.Errorf("waiting for a secret check: %w: %w", err, store.ErrUnavailable)
	}
	return func() { slots.Release(1); one.Release(1) }, nil
}

// joinQueue counts one more caller that waits. ok is false if there is no room.
func (s *slowHashes) joinQueue(q queue, room int) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[q] >= room {
		return nil, false
	}
	s.waiting[q]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.waiting[q]--; s.waiting[q] == 0 {
			delete(s.waiting, q)
		}
	}, true
}

func (s *slowHashes) remembered(c *store.Client, secret *store.Secret, presented string) bool {
	known, ok := s.remember.GetIfPresent(c.ID + "/" + secret.ID)
	mac := s.mac(c, secret, presented)
	return ok && subtle.ConstantTimeCompare(known[:], mac[:]) == 1
}

func (s *slowHashes) mac(c *store.Client, secret *store.Secret, presented string) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, s.key)
	for _, part := range []string{c.ID, secret.Hash, presented} {
		fmt.Fprintf(m, "%d:%s", len(part), part)
	}
	m.Sum(sum[:0])
	return sum
}
