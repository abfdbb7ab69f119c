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
	// slowAtOnce bounds slow checks over all clients; one client has one.
	slowAtOnce  = 2
	slowWait    = 5 * time.Second // for a turn
	slowWaiters = 32              // from one address for one client
	maxRemember = 10_000
)

// slowHashes checks secrets against imported hashes: one at a time for each
// client, few at once over all, and remembers what was right as an HMAC under
// a key of this process, bound to the hash it was right for.
type slowHashes struct {
	key      []byte
	slots    *semaphore.Weighted
	clients  sync.Map // client id → *semaphore.Weighted; only clients with imported secrets
	remember *otter.Cache[string, [sha256.Size]byte]

	mu      sync.Mutex
	waiting map[string]int // client and address
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
		remember: otter.Must(&otter.Options[string, [sha256.Size]byte]{MaximumSize: maxRemember}),
	}
}

// of answers the client's live imported secrets; most clients have none.
func (s *slowHashes) of(c *store.Client, now time.Time) []*store.Secret {
	var imported []*store.Secret
	for i := range c.Secrets {
		if credential.IsImported(c.Secrets[i].Hash) && c.Secrets[i].Live(now) {
			imported = append(imported, &c.Secrets[i])
		}
	}
	return imported
}

// known answers the one of the secrets that the presented value was found to
// be before, or nil.
func (s *slowHashes) known(c *store.Client, imported []*store.Secret, presented string) *store.Secret {
	for _, secret := range imported {
		if s.remembered(c, secret, presented) {
			return secret
		}
	}
	return nil
}

// match answers the one of the secrets that the presented value is, or nil.
// The caller has entered.
func (s *slowHashes) match(c *store.Client, imported []*store.Secret, presented string) *store.Secret {
	for _, secret := range imported {
		if credential.MatchesImported(secret.Hash, presented) {
			s.remember.Set(c.ID+"/"+secret.ID, s.mac(c, secret, presented))
			return secret
		}
	}
	return nil
}

// enter waits for the client's turn and a slot. Few from one address may wait
// for one client, so that a crowd of guesses does not keep its owner out.
func (s *slowHashes) enter(ctx context.Context, clientID string, from netip.Addr) (release func(), err error) {
	leave, ok := s.queue(clientID + "|" + from.String())
	if !ok {
		return nil, errLimited.After(time.Second)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, slowWait)
	defer cancel()
	one, _ := s.clients.LoadOrStore(clientID, semaphore.NewWeighted(1))
	mine := one.(*semaphore.Weighted)
	if err := mine.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("waiting for a secret check: %w: %w", err, store.ErrUnavailable)
	}
	if err := s.slots.Acquire(ctx, 1); err != nil {
		mine.Release(1)
		return nil, fmt.Errorf("waiting for a secret check: %w: %w", err, store.ErrUnavailable)
	}
	return func() { s.slots.Release(1); mine.Release(1) }, nil
}

// queue counts who waits; ok is false when too many do already.
func (s *slowHashes) queue(who string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[who] >= slowWaiters {
		return nil, false
	}
	s.waiting[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.waiting[who]--; s.waiting[who] == 0 {
			delete(s.waiting, who)
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
