// Package ratelimit slows down who guesses: failed client authentication per
// client and address and per address, counted over all replicas (RFC 6749
// §2.3.1), and the issue quota of a client. It decides how many; what is
// counted and what a refusal looks like is its callers'.
package ratelimit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/coalesce"
	"github.com/grantd/grantd/store"
)

// Limit is how many are let through in a window; Count 0 switches it off.
type Limit struct {
	Count int
	Per   time.Duration
}

// Names of the limits, as in the configuration and the metrics.
const (
	PerClientAndAddress = "auth_failures_per_client_and_address"
	PerAddress          = "auth_failures_per_address"
	IssuePerClient      = "issue_per_client"

	CustomerTokensPerClient  = "customer_tokens_per_client"
	OnBehalfTokensPerPartner = "on_behalf_tokens_per_partner"
)

// buckets bounds how many counters one limit has in the store: identities are
// hashed into this many. Two that meet share a count, which can only refuse
// too early, and never a right generated secret.
const buckets = 1 << 18

// maxBlocked bounds what this replica remembers of refusals.
const maxBlocked = 100_000

// Options are what Failures needs.
type Options struct {
	Store store.Limits
	// Key hides identities in the store: one for all replicas.
	Key                 []byte
	PerClientAndAddress Limit
	PerAddress          Limit
	Now                 func() time.Time
	Log                 *slog.Logger
	Hit                 func(limit string) // counts refusals; must not block
}

// Failures counts failed authentication.
type Failures struct {
	o       Options
	blocked *otter.Cache[string, time.Time] // counter → until when it is full
	sums    sync.Pool                       // of *keyedSum
	// failing and asking share what is counted and what is only asked, by the
	// one or two counters of an attempt.
	failing, asking coalesce.Group[[2]string, []store.Count]
}

// keyedSum is an HMAC under the key, with room for what it takes and gives.
type keyedSum struct {
	hmac hash.Hash
	room []byte
}

// NewFailures makes a Failures.
func NewFailures(o Options) *Failures {
	return &Failures{
		o:       o,
		blocked: otter.Must(&otter.Options[string, time.Time]{MaximumSize: maxBlocked}),
		sums:    sync.Pool{New: func() any { return &keyedSum{hmac: hmac.New(sha256.New, o.Key)} }},
	}
}

// counted is one counter that an attempt touches.
type counted struct {
	name  string
	key   string
	limit Limit
}

// Blocked answers how long the client id from the address is refused, as far
// as this replica knows; 0 if it is not. It asks nobody.
func (f *Failures) Blocked(clientID string, from netip.Addr) time.Duration {
	now := f.o.Now()
	var longest time.Duration
	for _, c := range f.counters(clientID, from) {
		if until, ok := f.blocked.GetIfPresent(c.key); ok && now.Before(until) {
			longest = max(longest, until.Sub(now))
			f.o.Hit(c.name)
		}
	}
	return longest
}

// Full is Blocked with the counters of all replicas: one round trip. It is
// asked before a slow hash is computed.
func (f *Failures) Full(ctx context.Context, clientID string, from netip.Addr) time.Duration {
	return f.add(ctx, clientID, from, 0)
}

// Failed counts a failure and answers how long the caller is to wait if that
// made too many, 0 if not. A limiter that cannot reach the store refuses
// nobody: the attempt has failed anyway, and generated secrets cannot be
// guessed.
func (f *Failures) Failed(ctx context.Context, clientID string, from netip.Addr) time.Duration {
	return f.add(ctx, clientID, from, 1)
}

func (f *Failures) add(ctx context.Context, clientID string, from netip.Addr, n int64) time.Duration {
	counters := f.counters(clientID, from)
	if len(counters) == 0 {
		return 0
	}
	counts, err := f.count(ctx, counters, n)
	if err != nil {
		f.o.Log.WarnContext(ctx, "limits: not counted", "error", err)
		return 0
	}
	var longest time.Duration
	for i, c := range counters {
		// The failures that the limit allows are answered as failures; one
		// more is refused for what is left of the window.
		if counts[i].N < int64(c.limit.Count)+n || counts[i].Left <= 0 {
			continue
		}
		longest = max(longest, counts[i].Left)
		f.blocked.Set(c.key, f.o.Now().Add(counts[i].Left))
		f.o.Hit(c.name)
	}
	return longest
}

// count adds n to each counter and answers where they stand. Whoever guesses
// touches the same counters again and again: what comes at the same time is
// added at once, and each attempt still has a count of its own.
func (f *Failures) count(ctx context.Context, counters []counted, n int64) ([]store.Count, error) {
	key := [2]string{0: counters[0].key}
	if len(counters) > 1 {
		key[1] = counters[1].key
	}
	shared := context.WithoutCancel(ctx)
	add := func(attempts int) ([]store.Count, error) {
		hits := make([]store.Hit, len(counters))
		for i, c := range counters {
			hits[i] = store.Hit{Key: c.key, N: n * int64(attempts), Window: c.limit.Per}
		}
		return f.o.Store.AddHits(shared, hits...)
	}
	group := &f.failing
	if n == 0 {
		group = &f.asking
	}
	// The store's time-outs bound it, not the caller, who could leave to have
	// a guess looked at that was one too many.
	all, attempts, place, err := group.Do(shared, key, add)
	if err != nil {
		return nil, err
	}
	counts := slices.Clone(all)
	for i := range counts {
		counts[i].N -= n * int64(attempts-1-place)
	}
	return counts, nil
}

func (f *Failures) counters(clientID string, from netip.Addr) []counted {
	network := Network(from)
	all := make([]counted, 0, 2)
	if f.o.PerClientAndAddress.Count > 0 {
		all = append(all, counted{PerClientAndAddress, f.key("c", clientID, network), f.o.PerClientAndAddress})
	}
	if f.o.PerAddress.Count > 0 {
		all = append(all, counted{PerAddress, f.key("a", "", network), f.o.PerAddress})
	}
	return all
}

func (f *Failures) key(kind, clientID, network string) string {
	s := f.sums.Get().(*keyedSum)
	defer f.sums.Put(s)
	s.hmac.Reset()
	s.room = s.room[:0]
	for _, part := range [...]string{kind, clientID, network} {
		s.room = append(s.room, byte(len(part)>>8), byte(len(part)))
		s.room = append(s.room, part...)
	}
	s.hmac.Write(s.room)
	s.room = s.hmac.Sum(s.room[:0])
	bucket := binary.BigEndian.Uint32(s.room) % buckets
	return kind + strconv.FormatUint(uint64(bucket), 36)
}

// Network answers what counts as one address: an IPv4 address, or the /64 of
// an IPv6 address, which one customer of a provider has all of.
func Network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, err := a.Prefix(64)
		if err != nil {
			return ""
		}
		return p.String()
	}
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
