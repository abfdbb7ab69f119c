package redisstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// raw returns a plain client, to look at Redis without the store.
func raw(t testing.TB, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// patient returns options with timeouts that a slow machine does not reach.
func patient(o redisstore.Options) redisstore.Options {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = patience/4, patience/4, patience/4
	o.Acks.Timeout = patience / 8
	return o
}

// open opens a store with patient options. It is closed with the test.
func open(t testing.TB, addr string, change ...func(*redisstore.Options)) *redisstore.Store {
	t.Helper()
	o := patient(redisstore.Options{Addresses: []string{addr}, KeyPrefix: "grantd:", AuditRetention: storetest.AuditRetention, AuditMaxEvents: storetest.AuditMaxEvents})
	for _, f := range change {
		f(&o)
	}
	s, err := redisstore.Open(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// bench is one store of the contract suite.
type bench struct {
	t       *testing.T
	options redisstore.Options
	masters []*redis.Client
	clock   *storetest.Clock
	store   *redisstore.Store
	aged    time.Duration
	moved   time.Time // when the ends of the keys were last moved
}

// newHarness runs the suite on one Redis. Each store gets a separate key prefix.
// masters are the addresses of all nodes that hold keys.
func newHarness(o redisstore.Options, masters ...string) storetest.Harness {
	var stores atomic.Int64
	o = patient(o)
	return storetest.Harness{New: func(t *testing.T) storetest.Opened {
		b := &bench{t: t, options: o, clock: storetest.NewClock(), moved: time.Now()}
		b.options.KeyPrefix = fmt.Sprintf("suite%d:", stores.Add(1))
		b.options.Now, b.options.Elapsed = b.clock.Now, b.clock.Elapsed
		b.options.AuditRetention, b.options.AuditMaxEvents = storetest.AuditRetention, storetest.AuditMaxEvents
		for _, addr := range masters {
			b.masters = append(b.masters, raw(t, addr))
		}
		return storetest.Opened{Store: b.reopen(), Now: b.clock.Now, Advance: b.advance, Reopen: b.reopen}
	}}
}

func (b *bench) reopen() store.Store {
	b.store = open(b.t, "", func(o *redisstore.Options) { *o = b.options })
	b.store.Age(b.aged)
	return b.store
}

// advance moves the store's clock, and the end of every key. The suite's clock
// does not run between two calls, but Redis' does: that time is given back.
func (b *bench) advance(d time.Duration) {
	b.t.Helper()
	b.clock.Advance(d)
	b.store.Age(d)
	b.aged += d
	by := d - time.Since(b.moved)
	b.moved = time.Now()
	for _, master := range b.masters {
		if err := b.shiftEnds(master, by); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) shiftEnds(master *redis.Client, by time.Duration) error {
	ctx := within(b.t)
	keys := master.Scan(ctx, 0, b.options.KeyPrefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		left, err := master.PTTL(ctx, keys.Val()).Result()
		if err == nil && left > 0 {
			err = master.PExpire(ctx, keys.Val(), left-by).Err()
		}
		if err != nil {
			return err
		}
	}
	return keys.Err()
}

func TestContract(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t).Addr
	storetest.Run(t, newHarness(redisstore.Options{Addresses: []string{addr}}, addr))
}
