package auth

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/store"
)

// Caps on the cost of imported hashes (contract §2): a record must not be
// able to make one request take all of the machine.
const (
	maxBcryptCost       = 12
	maxBcryptSecret     = 72 // bcrypt ignores what is longer
	maxPBKDF2Iterations = 1_000_000
	maxArgonMemoryKiB   = 64 << 10
	maxArgonTime        = 4
	maxArgonThreads     = 4
	maxHashLength       = 512

	// slowAtOnce bounds slow checks over all clients; one client has one.
	slowAtOnce  = 2
	slowWait    = 5 * time.Second // for a turn
	slowWaiters = 32              // from one address for one client
	maxRemember = 10_000
)

// ErrHash says why a hash cannot be imported.
var ErrHash = errors.New("must be bcrypt ($2a$, $2b$, $2y$; cost 4 to 12), $pbkdf2-sha256$ or $pbkdf2-sha512$ (100000 to 1000000 iterations) or $argon2id$ (at most 64 MiB, t 4, p 4)")

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
	mustRandom(key)
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
		if !strings.HasPrefix(c.Secrets[i].Hash, sha256Label) && c.Secrets[i].Live(now) {
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
		if verifyImported(secret.Hash, presented) {
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

// CheckImported answers ErrHash unless the hash is of a known kind with a
// cost within the caps.
func CheckImported(hash string) error {
	if _, err := parseImported(hash); err != nil {
		return ErrHash
	}
	return nil
}

func verifyImported(hash, presented string) bool {
	verify, err := parseImported(hash)
	return err == nil && verify(presented)
}

// parseImported reads a crypt or PHC string and answers its check.
func parseImported(stored string) (verify func(string) bool, err error) {
	if len(stored) > maxHashLength {
		return nil, ErrHash
	}
	parts := strings.Split(stored, "$")
	if len(parts) < 4 || parts[0] != "" {
		return nil, ErrHash
	}
	switch parts[1] {
	case "2a", "2b", "2y":
		return parseBcrypt(stored)
	case "pbkdf2-sha256":
		return parsePBKDF2(parts, sha256.New)
	case "pbkdf2-sha512":
		return parsePBKDF2(parts, sha512.New)
	case "argon2id":
		return parseArgon(parts)
	}
	return nil, ErrHash
}

func parseBcrypt(stored string) (func(string) bool, error) {
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || cost > maxBcryptCost {
		return nil, ErrHash
	}
	return func(p string) bool {
		return len(p) <= maxBcryptSecret && bcrypt.CompareHashAndPassword([]byte(stored), []byte(p)) == nil
	}, nil
}

// parsePBKDF2 reads $pbkdf2-sha256$i=600000$salt$hash; the count may stand
// bare, base64 with or without padding.
func parsePBKDF2[H hash.Hash](parts []string, h func() H) (func(string) bool, error) {
	if len(parts) != 5 {
		return nil, ErrHash
	}
	n, err := strconv.Atoi(strings.TrimPrefix(parts[2], "i="))
	salt, want, ok := saltAndHash(parts[3], parts[4])
	if err != nil || !ok || n < 100_000 || n > maxPBKDF2Iterations {
		return nil, ErrHash
	}
	return func(p string) bool {
		got, err := pbkdf2.Key(h, p, salt, n, len(want))
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

// parseArgon reads $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func parseArgon(parts []string) (func(string) bool, error) {
	if len(parts) != 6 || parts[2] != "v=19" {
		return nil, ErrHash
	}
	var memory, time uint32
	var threads uint8
	const form = "m=%d,t=%d,p=%d"
	if _, err := fmt.Sscanf(parts[3], form, &memory, &time, &threads); err != nil ||
		parts[3] != fmt.Sprintf(form, memory, time, threads) { // Sscanf does not mind what follows
		return nil, ErrHash
	}
	salt, want, ok := saltAndHash(parts[4], parts[5])
	if !ok || memory < 8 || memory > maxArgonMemoryKiB || time < 1 || time > maxArgonTime || threads < 1 || threads > maxArgonThreads {
		return nil, ErrHash
	}
	return func(p string) bool {
		got := argon2.IDKey([]byte(p), salt, time, memory, threads, uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

func saltAndHash(s, h string) (salt, hash []byte, ok bool) {
	salt, err1 := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	hash, err2 := base64.RawStdEncoding.DecodeString(strings.TrimRight(h, "="))
	return salt, hash, err1 == nil && err2 == nil && len(salt) >= 8 && len(hash) >= 16 && len(hash) <= 64
}
