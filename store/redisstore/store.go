// Package redisstore keeps grantd's records in Redis 6.2 or later:
// standalone, behind Sentinel, or as a Cluster. It is the one importer of
// go-redis.
//
// It owns the names of the keys (keys.go), how records lie in them, and what
// a failure of Redis means to a caller (errors.go). It does not own the form
// of the records, which package store encodes, nor any rule about them.
//
// Every command, script and transaction touches exactly one key, so that no
// operation needs two slots of a Cluster. A list is an index first and
// records second; an index entry without a record is skipped.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/grantd/grantd/store"
)

var _ store.Store = (*Store)(nil)

// Store is grantd's records in Redis. It is safe for concurrent use.
type Store struct {
	client         redis.UniversalClient
	keys           keys
	now            func() time.Time
	feedRetention  time.Duration
	auditRetention time.Duration
	acks           Acks
	maxBlock       time.Duration // of one blocking read of the feed

	clients       records[store.Client]
	orgs          records[store.Org]
	customers     records[store.Customer]
	partners      records[store.Partner]
	partnerTokens records[store.PartnerTokenOwner]
	grants        records[store.Grant]

	decoded store.ClientMemo
	masters masters
	lanesMu sync.RWMutex
	lanes   map[*redis.Client]*lanes
	onTrip  func(commands int)

	mu     sync.Mutex
	newest store.Position // of the feed, as far as this process knows
	// feedRun is the run id of the master that FeedLineage last named.
	feedRun string
}

// Open connects to Redis, and answers a Store once it has found that Redis
// takes writes and that its settings keep records.
//
// Errors: ErrUnavailable, ErrUnsuitable (the message names the setting to
// change), and others for options that make no sense.
func Open(ctx context.Context, o Options) (*Store, error) {
	// go-redis has one logger for the whole process, and prints to standard
	// error by default; what it would say comes back as errors.
	logging.Disable()
	o = o.withDefaults()
	client, err := o.client()
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	s := &Store{
		client:         client,
		keys:           keys{prefix: o.KeyPrefix},
		now:            o.Now,
		feedRetention:  store.FeedRetention,
		auditRetention: o.AuditRetention,
		acks:           o.Acks,
		maxBlock:       o.ReadTimeout / 2,
		lanes:          map[*redis.Client]*lanes{},
		onTrip:         o.OnTrip,
	}
	s.clients = records[store.Client]{store.ClientKind, s, s.keys.client, s.keys.clientIndex(), s.decoded.Decode}
	s.orgs = records[store.Org]{store.OrgKind, s, s.keys.org, s.keys.orgIndex(), nil}
	s.customers = records[store.Customer]{store.CustomerKind, s, s.keys.customer, s.keys.customerIndex(), nil}
	s.partners = records[store.Partner]{store.PartnerKind, s, s.keys.partner, s.keys.partnerIndex(), nil}
	s.partnerTokens = records[store.PartnerTokenOwner]{store.PartnerTokenKind, s, s.keys.partnerToken, s.keys.partnerTokenIndex(), nil}
	s.grants = records[store.Grant]{store.GrantKind, s, s.keys.grant, s.keys.grantIndex(), nil}
	if err := s.check(ctx, o.Mode); err != nil {
		_ = s.Close() // the check's error says more
		return nil, err
	}
	return s, nil
}

// check is what Open asks of Redis before it is used.
func (s *Store) check(ctx context.Context, mode Mode) error {
	if err := s.eachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		return checkNode(ctx, node, mode)
	}); err != nil {
		return err
	}
	return s.Ping(ctx)
}

// eachMaster calls f for the one master, or for every one of a Cluster.
func (s *Store) eachMaster(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return f(ctx, s.client.(*redis.Client))
	}
	err := cluster.ForEachMaster(ctx, f)
	if hasCode(err, "ERR This instance has cluster support disabled") {
		return fmt.Errorf("redis: %w: not a Cluster; set store.redis.mode to standalone or sentinel", store.ErrUnsuitable)
	}
	if errors.Is(err, store.ErrUnsuitable) || errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return failed(ctx, "find the masters", err)
}

// node answers a client of the master that holds the key.
func (s *Store) node(ctx context.Context, key string) (*redis.Client, error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return s.client.(*redis.Client), nil
}

// Ping writes a key that ends by itself, so that a Redis which can only be
// read (a replica, a full disk) fails it. Errors: ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	return failed(ctx, "ping", s.client.Set(ctx, s.keys.ping(), "1", pingTTL).Err())
}

// Shared is true: other processes may write to the same Redis.
func (s *Store) Shared() bool { return true }

// Close closes the connections, also under commands that run.
func (s *Store) Close() error {
	err := s.client.Close()
	if errors.Is(err, redis.ErrClosed) {
		return nil
	}
	return err
}
