package ratelimit

import "context"

// CodesOf says whose codes are looked at: a customer, with the numbers on file.
type CodesOf struct {
	CustomerID, OrgID string
	Phones            []string
}

// CodesState is what the limits have counted for a customer.
type CodesState struct {
	// Sent is how many codes were sent within 24 hours from the first of them; nil:
	// every limit of codes is off, and nothing is counted.
	Sent *int64
	// Over is the limit that refuses the next code for the longest time. The limit of
	// the client is not among them: it depends on who asks.
	Over Refusal
}

// ReadCodes returns what the limits have counted, in one round trip. It counts
// nothing. Errors: store.ErrUnavailable.
func (c *Codes) ReadCodes(ctx context.Context, of CodesOf) (CodesState, error) {
	if !c.counts() {
		return CodesState{}, nil
	}
	limits := c.countersOf(of)
	limits = append(limits, c.limited(counted{CodesPerOrg, of.OrgID, c.o.PerOrg})...)
	counts, err := c.add(ctx, limits, 0)
	if err != nil {
		return CodesState{}, err
	}
	var s CodesState
	for i, l := range limits {
		if l.name == codesSent {
			s.Sent = &counts[i].N
		}
		if wait := l.findWait(counts[i], 1); wait > s.Over.Wait {
			s.Over = Refusal{l.name, wait}
		}
	}
	return s, nil
}

// ResetCodes forgets the codes that were sent for the customer and to each of the
// numbers. Those of the client and of the org remain: others share them. A code that
// is refused at the same time may leave room for one more. Errors:
// store.ErrUnavailable.
func (c *Codes) ResetCodes(ctx context.Context, of CodesOf) error {
	var keys []string
	for _, l := range c.countersOf(of) {
		keys = append(keys, l.key)
	}
	return c.o.Store.ResetHits(ctx, keys...)
}

// countersOf returns the counters that only this customer has, or that count a
// number on file.
func (c *Codes) countersOf(of CodesOf) []counted {
	all := []counted{{codesSent, of.CustomerID, Limit{1, sentWindow}}, {CodesPerCustomer, of.CustomerID, c.o.PerCustomer}}
	for _, number := range of.Phones {
		all = append(all, counted{CodesPerPhone, number, c.o.PerPhone})
	}
	return c.limited(all...)
}
