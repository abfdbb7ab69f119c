package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/grantd/grantd/store"
)

// Client is a go-redis client whose commands keep the promise of this
// package. It is safe for concurrent use.
type Client struct {
	redis.UniversalClient

	ackTimeout time.Duration
	maxBlock   time.Duration
	masters    masters
	lanesMu    sync.RWMutex
	lanes      map[*redis.Client]*lanes
	onTrip     func(commands int)
	oldUntil   atomic.Int64 // Redis counts as older than version 7, see allowsFull
}

// New returns a client that has not connected yet. Its errors name the key of
// the configuration to change.
func New(o Options) (*Client, error) {
	// go-redis has one logger for the whole process and prints to standard
	// error by default. What it would print comes back as errors.
	logging.Disable()
	o = o.withDefaults()
	client, err := o.connect()
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return &Client{
		UniversalClient: client,
		ackTimeout:      o.AckTimeout,
		maxBlock:        o.ReadTimeout / 2,
		lanes:           map[*redis.Client]*lanes{},
		onTrip:          o.OnTrip,
	}, nil
}

// MaxBlock returns how long a blocking command in a pipeline may wait. A
// pipeline has the plain read timeout, however long its commands block.
func (c *Client) MaxBlock() time.Duration { return c.maxBlock }

// EachMaster calls f for the one master, or for every master of a Cluster.
//
// Errors: those of f, store.ErrUnavailable, store.ErrUnsuitable.
func (c *Client) EachMaster(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	cluster, ok := c.UniversalClient.(*redis.ClusterClient)
	if !ok {
		return f(ctx, c.single())
	}
	err := cluster.ForEachMaster(ctx, f)
	if hasCode(err, "ERR This instance has cluster support disabled") {
		return fmt.Errorf("redis: %w: it is not a Cluster: set store.redis.mode to standalone or sentinel", store.ErrUnsuitable)
	}
	if errors.Is(err, store.ErrUnsuitable) || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return StoreError(ctx, "find the masters", err)
}

// IsCluster reports whether it is connected to a Cluster.
func (c *Client) IsCluster() bool {
	_, is := c.UniversalClient.(*redis.ClusterClient)
	return is
}

// node returns a client of the master that holds the key.
func (c *Client) node(ctx context.Context, key string) (*redis.Client, error) {
	if cluster, ok := c.UniversalClient.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return c.single(), nil
}

// single returns the client of the one master if there is no Cluster.
func (c *Client) single() *redis.Client { return c.UniversalClient.(*redis.Client) }

// Close closes the connections, even while commands run on them. A second call
// does nothing.
func (c *Client) Close() error {
	err := c.UniversalClient.Close()
	if errors.Is(err, redis.ErrClosed) {
		return nil
	}
	return err
}
