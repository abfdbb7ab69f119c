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

// CodesOptions are what a Codes needs.
type CodesOptions struct {
	Store                                    store.Limits
	Key                                      []byte // as of Failures
	PerPhone, PerCustomer, PerClient, PerOrg Limit
	Hit                                      func(limit string)
}

// Codes bounds how many verification codes are sent, over all replicas: each
// costs money, and reaches a person's telephone.
type Codes struct{ o CodesOptions }

// NewCodes makes a Codes.
func NewCodes(o CodesOptions) *Codes { return &Codes{o} }

// For says to whom a code goes, and for whom.
type For struct{ Phone, CustomerID, ClientID, OrgID string }

// Take counts a code, and answers how long the caller is to wait if one of
// the limits is reached; then it is not counted anywhere. It fails closed: a
// code that cannot be counted is not to be sent. Errors: store.ErrUnavailable.
func (c *Codes) Take(ctx context.Context, f For) (wait time.Duration, err error) {
	limits := c.counters(f)
	if len(limits) == 0 {
		return 0, nil
	}
	counts, err := c.add(ctx, limits, 1)
	if err != nil {
		return 0, err
	}
	for i, l := range limits {
		if counts[i].N > int64(l.limit.Count) {
			wait = max(wait, counts[i].Left, time.Second)
			c.o.Hit(l.name)
		}
	}
	if wait > 0 { // what is refused costs nothing
		err = c.giveBack(ctx, limits, counts)
	}
	return wait, err
}

// slack is longer than any call of the store takes.
const slack = 30 * time.Second

// giveBack takes a code back that was counted, also for a caller who is gone.
// What is given back to a window that has ended would be one more in the next
// one: so windows that are about to end keep it.
func (c *Codes) giveBack(ctx context.Context, limits []counted, counts []store.Count) error {
	var lasting []counted
	for i, l := range limits {
		if counts[i].Left > slack {
			lasting = append(lasting, l)
		}
	}
	if len(lasting) == 0 {
		return nil
	}
	_, err := c.add(context.WithoutCancel(ctx), lasting, -1)
	return err
}

func (c *Codes) add(ctx context.Context, limits []counted, n int64) ([]store.Count, error) {
	hits := make([]store.Hit, len(limits))
	for i, l := range limits {
		hits[i] = store.Hit{Key: l.key, N: n, Window: l.limit.Per}
	}
	return c.o.Store.AddHits(ctx, hits...)
}

func (c *Codes) counters(f For) []counted {
	all := make([]counted, 0, 4)
	for _, l := range []counted{
		{CodesPerPhone, f.Phone, c.o.PerPhone},
		{CodesPerCustomer, f.CustomerID, c.o.PerCustomer},
		{CodesPerClient, f.ClientID, c.o.PerClient},
		{CodesPerOrg, f.OrgID, c.o.PerOrg},
	} {
		if l.limit.Count > 0 {
			l.key = c.key(l.name, l.key)
			all = append(all, l)
		}
	}
	return all
}

// key names a counter without the identity that it counts. There are as many
// as there are phones, customers, clients and orgs that asked lately: those
// are the operator's own, so they need no buckets, and none shares another's.
func (c *Codes) key(limit, id string) string {
	m := hmac.New(sha256.New, c.o.Key)
	m.Write([]byte(limit + " " + id))
	return "v" + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:12])
}
