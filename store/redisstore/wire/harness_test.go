package wire_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store/redisstore/wire"
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

// raw returns a plain client, to look at Redis without the package under test.
func raw(t testing.TB, server *redistest.Server) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: server.Addr, Protocol: 2})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// connect returns a client with timeouts that a slow machine does not reach. It
// is closed with the test.
func connect(t testing.TB, server *redistest.Server, change ...func(*wire.Options)) *wire.Client {
	t.Helper()
	o := wire.Options{Addresses: []string{server.Addr}, DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience}
	for _, f := range change {
		f(&o)
	}
	c, err := wire.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// put and get are a write and a read as the store sends them.

func put(ctx context.Context, c *wire.Client, key, value string) error {
	return wire.StoreError(ctx, "put", c.Send(ctx, key, redis.NewStatusCmd(ctx, "set", key, value)))
}

// get returns "" for a key that is not there.
func get(ctx context.Context, c *wire.Client, key string) (string, error) {
	cmd := redis.NewStringCmd(ctx, "get", key)
	err := c.Send(ctx, key, cmd)
	if wire.IsNil(err) {
		return "", nil
	}
	if err != nil {
		return "", wire.StoreError(ctx, "get", err)
	}
	return cmd.Val(), nil
}

func named(i int) string { return fmt.Sprintf("key%d", i) }

// trips counts round trips and the commands that they carried.
type trips struct {
	mu             sync.Mutex
	count, carried int
}

func (n *trips) add(commands int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	n.carried += commands
}

func (n *trips) get() (count, carried int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count, n.carried
}
