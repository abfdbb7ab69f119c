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

// TakeCode counts a code. If one of the limits is reached, it does not count
// the code, and returns how long the caller must wait. It fails closed: after
// an error the caller must not send the code. Errors: store.ErrUnavailable.
func (c *Codes) TakeCode(ctx context.Context, r CodeRequest) (wait time.Duration, err error) {
	limits := c.counters(r)
	if len(limits) == 0 {
		return 0, nil
	}
	// A request that is already over one limit must not add to the others, which
	// other customers share.
	counts, err := c.add(ctx, limits, 0)
	if err != nil {
		return 0, err
	}
	if wait = c.longestWait(limits, counts, 1); wait > 0 {
		return wait, nil
	}
	if counts, err = c.add(ctx, limits, 1); err != nil {
		return 0, err
	}
	if wait = c.longestWait(limits, counts, 0); wait > 0 {
		err = c.giveBack(ctx, limits, counts)
	}
	return wait, err
}

// longestWait returns how long it takes until every limit has room again.
func (c *Codes) longestWait(limits []counted, counts []store.Count, more int64) (wait time.Duration) {
	for i, l := range limits {
		if counts[i].N+more > int64(l.limit.Count) {
			wait = max(wait, counts[i].Left, time.Second)
			c.o.Hit(l.name)
		}
	}
	return wait
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

func (c *Codes) counters(r CodeRequest) []counted {
	all := make([]counted, 0, 4)
	for _, l := range []counted{
		{CodesPerPhone, r.Phone, c.o.PerPhone},
		{CodesPerCustomer, r.CustomerID, c.o.PerCustomer},
		{CodesPerClient, r.ClientID, c.o.PerClient},
		{CodesPerOrg, r.OrgID, c.o.PerOrg},
	} {
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
