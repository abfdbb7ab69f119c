// Package ratelimit counts across all replicas and refuses what exceeds a
// limit. It counts failed client authentication, by client and address, by
// address alone, and for imported secrets by client alone, so that secrets cannot be guessed (RFC 6749 §2.3.1); tokens
// that a client or partner makes; and verification codes that are sent. Its
// callers decide what to count and what a refusal looks like.
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
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/coalesce"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

// Limit is how many are allowed in a window of Per; Count 0 switches it off.
type Limit struct {
	Count int
	Per   time.Duration
}

// Names of the limits, as in the configuration and the metrics.
const (
	PerClientAndAddress = "auth_failures_per_client_and_address"
	PerAddress          = "auth_failures_per_address"
	PerClient           = "auth_failures_per_client"
	IssuePerClient      = "issue_per_client"
	OwnIssueLimit       = "issue_limit" // of a client's record, instead of IssuePerClient

	RevocationsPerClient     = "revocations_per_client"
	CustomerTokensPerClient  = "customer_tokens_per_client"
	OnBehalfTokensPerPartner = "on_behalf_tokens_per_partner"
	KeyChangesPerClient      = "key_changes_per_client"
)

// buckets is how many counters one limit may have in the store: identities are
// hashed into this many. Two identities in one bucket share a count. That can
// only refuse wrong secrets too early: a right generated secret is never
// refused.
const buckets = 1 << 18

// uncountedWait is how long a stranger waits after a failure that could not be
// counted.
const uncountedWait = time.Second

// maxBlocked is how many refusals this replica remembers.
const maxBlocked = 100_000

// Options are what Failures needs.
type Options struct {
	Store store.Limits
	// Key hides identities in the store; all replicas have the same.
	Key                 []byte
	PerClientAndAddress Limit
	PerAddress          Limit
	PerClient           Limit // only guesses at imported secrets, see Guess.Stranger
	Now                 func() time.Time
	Log                 *slog.Logger
	Hit                 func(limit string) // counts refusals; must not block
}

// Failures counts failed authentication.
type Failures struct {
	o       Options
	blocked *otter.Cache[string, time.Time] // counter → when it is no longer full
	sums    *keyedSums
	// counting reports that the store cannot count.
	counting *trouble.Log
	// uncounted is when a failure could last not be counted; nil: never.
	uncounted atomic.Pointer[time.Time]
	// adding and reading coalesce concurrent attempts that add to the same
	// counters, and those that only read them.
	adding, reading coalesce.Group[[3]string, []store.Count]
}

// keyedSums computes HMACs under a key.
type keyedSums struct{ pool sync.Pool }

// keyedSum is an HMAC under the key, with room for its input and output.
type keyedSum struct {
	hmac hash.Hash
	room []byte
}

func newKeyedSums(key []byte) *keyedSums {
	return &keyedSums{sync.Pool{New: func() any { return &keyedSum{hmac: hmac.New(sha256.New, key)} }}}
}

// NewFailures returns a Failures.
func NewFailures(o Options) *Failures {
	return &Failures{
		o:        o,
		counting: trouble.New(o.Log, "limits: not counted", "limits: counted again"),
		blocked:  otter.Must(&otter.Options[string, time.Time]{MaximumSize: maxBlocked}),
		sums:     newKeyedSums(o.Key),
	}
}

// counted is one counter that an attempt touches.
type counted struct {
	name  string
	key   string
	limit Limit
}

// Guess is an attempt to authenticate that failed, or may fail.
type Guess struct {
	ClientID string
	From     netip.Addr
	// Stranger says that an imported secret is guessed, from a network from
	// which the client did not authenticate before. Only then PerClient counts,
	// so that a guesser cannot lock the client out where it is at home.
	Stranger bool
}

// CheckLocal returns how long the caller must wait before the next attempt, as
// far as this replica knows; 0: not at all. It does not read the store.
func (f *Failures) CheckLocal(g Guess) time.Duration {
	now := f.o.Now()
	var longest time.Duration
	for _, c := range f.counters(g) {
		if until, ok := f.blocked.GetIfPresent(c.key); ok && now.Before(until) {
			longest = max(longest, until.Sub(now))
			f.o.Hit(c.name)
		}
	}
	return longest
}

// CheckShared is CheckLocal with the counts of all replicas, in one round trip. It
// is called before a slow hash is computed.
//
// While the store cannot count, as when it is full, a stranger gets one check in
// uncountedWait: a store that can be read but not written would otherwise allow
// guesses without end.
func (f *Failures) CheckShared(ctx context.Context, g Guess) time.Duration {
	if failed := f.uncounted.Load(); g.Stranger && failed != nil {
		if wait := failed.Add(uncountedWait).Sub(f.o.Now()); wait > 0 {
			f.o.Hit(PerClient)
			return min(wait, uncountedWait)
		}
	}
	return f.add(ctx, g, 0)
}

// RecordFailure counts a failure, and returns how long the caller must wait if
// there are too many, or 0. If the store cannot be reached, it returns 0: the
// attempt has failed anyway, and generated secrets cannot be guessed.
func (f *Failures) RecordFailure(ctx context.Context, g Guess) time.Duration {
	return f.add(ctx, g, 1)
}

func (f *Failures) add(ctx context.Context, g Guess, n int64) time.Duration {
	counters := f.counters(g)
	if len(counters) == 0 {
		return 0
	}
	counts, err := f.count(ctx, counters, n)
	if err != nil {
		f.counting.Failed(ctx, err)
		if n > 0 {
			now := f.o.Now()
			f.uncounted.Store(&now)
		}
		return 0
	}
	f.counting.Worked(ctx)
	var longest time.Duration
	for i, c := range counters {
		// The failures that the limit allows are reported as failures. One more
		// is refused until the window ends.
		if counts[i].N < int64(c.limit.Count)+n || counts[i].Left <= 0 {
			continue
		}
		longest = max(longest, counts[i].Left)
		f.blocked.Set(c.key, f.o.Now().Add(counts[i].Left))
		f.o.Hit(c.name)
	}
	return longest
}

// count adds n to each counter and returns their values. Somebody who guesses adds
// to the same counters again and again, so attempts at the same time share one
// round trip; each still gets the count that it would have had alone.
func (f *Failures) count(ctx context.Context, counters []counted, n int64) ([]store.Count, error) {
	var key [3]string
	for i, c := range counters {
		key[i] = c.key
	}
	shared := context.WithoutCancel(ctx)
	add := func(attempts int) ([]store.Count, error) {
		hits := make([]store.Hit, len(counters))
		for i, c := range counters {
			hits[i] = store.Hit{Key: c.key, N: n * int64(attempts), Window: c.limit.Per}
		}
		return f.o.Store.AddHits(shared, hits...)
	}
	group := &f.adding
	if n == 0 {
		group = &f.reading
	}
	// Only the store's timeouts end this, not the caller's context: a caller
	// who leaves could otherwise get one guess too many checked.
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

func (f *Failures) counters(g Guess) []counted {
	network := Network(g.From)
	all := make([]counted, 0, 3)
	if f.o.PerClientAndAddress.Count > 0 {
		all = append(all, counted{PerClientAndAddress, f.key("c", g.ClientID, network), f.o.PerClientAndAddress})
	}
	if f.o.PerAddress.Count > 0 {
		all = append(all, counted{PerAddress, f.key("a", "", network), f.o.PerAddress})
	}
	if f.o.PerClient.Count > 0 && g.Stranger {
		all = append(all, counted{PerClient, f.key("g", g.ClientID, ""), f.o.PerClient})
	}
	return all
}

func (f *Failures) key(kind, clientID, network string) string {
	sum := f.sums.sum(kind, clientID, network)
	return kind + strconv.FormatUint(uint64(binary.BigEndian.Uint32(sum[:])%buckets), 36)
}

// sum returns an HMAC of the parts.
func (k *keyedSums) sum(kind, clientID, network string) (sum [sha256.Size]byte) {
	s := k.pool.Get().(*keyedSum)
	defer k.pool.Put(s)
	s.hmac.Reset()
	s.room = s.room[:0]
	for _, part := range [...]string{kind, clientID, network} {
		s.room = append(s.room, byte(len(part)>>8), byte(len(part)))
		s.room = append(s.room, part...)
	}
	s.hmac.Write(s.room)
	s.room = s.hmac.Sum(s.room[:0])
	copy(sum[:], s.room)
	return sum
}

// Network returns the network of field.Network as text, an IPv4 address without its
// length; "" for the zero Addr.
func Network(a netip.Addr) string {
	p := field.Network(a)
	switch {
	case !p.IsValid():
		return ""
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return p.String()
}
