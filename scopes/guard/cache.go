package guard

import (
	"crypto/sha256"
	"net/netip"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// cacheKey is a digest of a token, and of the address of its sender if the verdict
// depends on it. The cache never holds a token.
type cacheKey [sha256.Size]byte

// keyOf returns the key of a token from a source; the zero Addr: from anywhere. It
// allocates nothing for tokens of grantd, which are short.
func keyOf(token string, source netip.Addr) cacheKey {
	var room [192]byte
	b := append(room[:0], token...)
	if source.IsValid() {
		a := source.As16()
		b = append(append(b, 0), a[:]...) // no token holds a zero byte
	}
	return sha256.Sum256(b)
}

// cache holds verdicts. drop is quick, however many there are.
type cache struct {
	size int
	now  atomic.Pointer[otter.Cache[cacheKey, *verdict]]
}

func newCache(size int) *cache {
	c := &cache{size: size}
	c.drop()
	return c
}

// perEntry is how long a response may be, in bytes, that counts as one entry. grantd's
// are shorter unless a token is restricted to many endpoints or objects.
const perEntry = 1 << 10

// weight returns how many entries a verdict counts as, so that a caller with large
// tokens does not take many times the memory that was planned for.
func weight(_ cacheKey, a *verdict) uint32 { return uint32(1 + len(a.token.Raw)/perEntry) }

// drop forgets everything. A verdict that is being kept at the same time may be kept
// afterwards; its epoch shows that it is from before.
func (c *cache) drop() {
	c.now.Store(otter.Must(&otter.Options[cacheKey, *verdict]{MaximumWeight: uint64(c.size), Weigher: weight}))
}

func (c *cache) get(k cacheKey) (*verdict, bool) { return c.now.Load().GetIfPresent(k) }

func (c *cache) set(k cacheKey, a *verdict) { c.now.Load().Set(k, a) }

func (c *cache) remove(k cacheKey) { c.now.Load().Invalidate(k) }

func (c *cache) entries() int { return c.now.Load().EstimatedSize() }
