package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/credential"
	"github.com/grantd/grantd/store"
)

const (
	// slowAtOnce is how many slow checks run at the same time for all clients
	// together. One client has at most one.
	slowAtOnce    = 2
	slowWait      = 5 * time.Second // for a turn
	slowWaiters   = 32              // from one address for one client
	maxRemembered = 10_000
)

// slowHashes checks secrets against imported hashes: one at a time for each
// client, and few at the same time for all. It remembers a right secret as an
// HMAC under a key that only this process has, tied to the hash it matched.
type slowHashes struct {
	key      []byte
	slots    *semaphore.Weighted
	clients  sync.Map // client id → *semaphore.Weighted; only clients with imported secrets
	remember *otter.Cache[string, [sha256.Size]byte]

	mu      sync.Mutex
	waiting map[string]int // by client and address
}

func newSlowHashes() *slowHashes {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
	return &slowHashes{
		key:      key,
		slots:    semaphore.NewWeighted(slowAtOnce),
		waiting:  map[string]int{},
		remember: otter.Must(&otter.Options[string, [sha256.Size]byte]{MaximumSize: maxRemembered}),
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

// enter waits for the client's turn and a slot. Only slowWaiters from one address
// may wait for one client, so that guesses do not keep the client itself out.
// Errors: apierr.TooManyRequests, store.ErrUnavailable.
func (s *slowHashes) enter(ctx context.Context, clientID string, from netip.Addr) (release func(), err error) {
	leave, ok := s.joinQueue(clientID + "|" + from.String())
	if !ok {
		return nil, errLimited.After(time.Second)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, slowWait)
	defer cancel()
	turn, _ := s.clients.LoadOrStore(clientID, semaphore.NewWeighted(1))
	mine := turn.(*semaphore.Weighted)
	if err := mine.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("waiting for a secret check: %w: %w", err, store.ErrUnavailable)
	}
	if err := s.slots.Acquire(ctx, 1); err != nil {
		mine.Release(1)
		return nil, fmt.Errorf("waiting for a secret check: %w: %w", err, store.ErrUnavailable)
	}
	return func() { s.slots.Release(1); mine.Release(1) }, nil
}

// joinQueue counts one more caller that waits for the key. ok is false if too
// many are waiting already.
func (s *slowHashes) joinQueue(key string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[key] >= slowWaiters {
		return nil, false
	}
	s.waiting[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.waiting[key]--; s.waiting[key] == 0 {
			delete(s.waiting, key)
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
	for _, part := range []string{c.ID, strconv.FormatUint(c.Version, 10), secret.Hash, presented} {
		fmt.Fprintf(m, "%d:%s", len(part), part)
	}
	m.Sum(sum[:0])
	return sum
}
