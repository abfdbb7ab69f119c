package ratelimit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/grantd/grantd/store"
)

// Names of the limits of verification codes, as in the configuration and the
// metrics.
const (
	CodesPerPhone    = "codes_per_phone"
	CodesPerCustomer = "codes_per_customer"
	CodesPerClient   = "codes_per_client"
	CodesPerOrg      = "codes_per_org"
)

// codesSent counts the codes of a customer, whatever the limits are.
const codesSent = "codes_sent"

// sentWindow is how long codesSent counts from the first code on.
const sentWindow = 24 * time.Hour

// CodesOptions are what Codes needs.
type CodesOptions struct {
	Store                                    store.Limits
	Key                                      []byte // as in Options
	PerPhone, PerCustomer, PerClient, PerOrg Limit
	Hit                                      func(limit string)
}

// Codes limits how many verification codes are sent, across all replicas: each
// code costs money and reaches a person's phone.
type Codes struct{ o CodesOptions }

// NewCodes returns a Codes.
func NewCodes(o CodesOptions) *Codes { return &Codes{o} }

// CodeRequest says where a code is sent, and for which customer, client and org.
type CodeRequest struct{ Phone, CustomerID, ClientID, OrgID string }

// giveBackTimeout is how long giving a count back may take.
const giveBackTimeout = 2 * time.Second

// Refusal says that a limit is reached, and how long it takes until it has room
// again. The zero Refusal: none is.
type Refusal struct {
	Limit string
	Wait  time.Duration
}

// TakeCode counts a code. If one of the limits is reached, it does not count
// the code, and returns the one that takes longest to have room again. It fails
// closed: after an error the caller must not send the code. Errors:
// store.ErrUnavailable.
func (c *Codes) TakeCode(ctx context.Context, r CodeRequest) (over Refusal, err error) {
	if !c.counts() {
		return Refusal{}, nil
	}
	limits := c.counters(r)
	// A request that is already over one limit must not add to the others, which
	// other customers share.
	counts, err := c.add(ctx, limits, 0)
	if err != nil {
		return Refusal{}, err
	}
	if over = c.countRefusal(limits, counts, 1); over.Wait > 0 {
		return over, nil
	}
	if counts, err = c.add(ctx, limits, 1); err != nil {
		return Refusal{}, err
	}
	if over = c.countRefusal(limits, counts, 0); over.Wait > 0 {
		err = c.giveBack(ctx, limits, counts)
	}
	return over, err
}

// countRefusal returns the limit that takes longest to have room for more codes,
// and counts a hit of each limit that has none.
func (c *Codes) countRefusal(limits []counted, counts []store.Count, more int64) (over Refusal) {
	for i, l := range limits {
		if wait := l.findWait(counts[i], more); wait > 0 {
			c.o.Hit(l.name)
			if wait > over.Wait {
				over = Refusal{l.name, wait}
			}
		}
	}
	return over
}

// findWait returns how long it takes until the limit has room for more codes, or 0
// if it has.
func (l counted) findWait(count store.Count, more int64) time.Duration {
	if l.name == codesSent || count.N+more <= int64(l.limit.Count) {
		return 0
	}
	return max(count.Left, time.Second)
}

// giveBack takes a refused code off the counters, even if the caller is gone.
// It leaves out a counter that is about to end: the code might be taken off the
// next one instead, which would then allow more than its limit.
func (c *Codes) giveBack(ctx context.Context, limits []counted, counts []store.Count) error {
	var lasting []counted
	for i, l := range limits {
		if counts[i].Left > 2*giveBackTimeout {
			lasting = append(lasting, l)
		}
	}
	if len(lasting) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	_, err := c.add(ctx, lasting, -1)
	return err
}

func (c *Codes) add(ctx context.Context, limits []counted, n int64) ([]store.Count, error) {
	hits := make([]store.Hit, len(limits))
	for i, l := range limits {
		hits[i] = store.Hit{Key: l.key, N: n, Window: l.limit.Per}
	}
	return c.o.Store.AddHits(ctx, hits...)
}

// counts reports whether a limit is on: without any, the store is not used.
func (c *Codes) counts() bool {
	return c.o.PerPhone.Count > 0 || c.o.PerCustomer.Count > 0 || c.o.PerClient.Count > 0 || c.o.PerOrg.Count > 0
}

func (c *Codes) counters(r CodeRequest) []counted {
	return c.limited(
		counted{CodesPerPhone, r.Phone, c.o.PerPhone},
		counted{CodesPerCustomer, r.CustomerID, c.o.PerCustomer},
		counted{CodesPerClient, r.ClientID, c.o.PerClient},
		counted{CodesPerOrg, r.OrgID, c.o.PerOrg},
		counted{codesSent, r.CustomerID, Limit{1, sentWindow}},
	)
}

// limited returns the counters of the limits that are not switched off, whose key
// is an identity so far.
func (c *Codes) limited(counters ...counted) []counted {
	all := make([]counted, 0, len(counters))
	for _, l := range counters {
		if l.limit.Count > 0 {
			l.key = c.key(l.name, l.key)
			all = append(all, l)
		}
	}
	return all
}

// key returns the name of a counter, which hides the identity that it counts.
// There is one counter for each phone, customer, client and org of the current
// window. They are all known to the operator, so they need no buckets, and no two
// share a counter.
func (c *Codes) key(limit, id string) string {
	m := hmac.New(sha256.New, c.o.Key)
	m.Write([]byte(limit + " " + id))
	return "v" + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:12])
}
