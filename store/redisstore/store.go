// Package redisstore keeps grantd's records in Redis 6.2 or later:
// standalone, behind Sentinel, or as a Cluster. Only it and its package wire
// import go-redis.
//
// It owns the names of the keys (keys.go) and how records are kept in them.
// Package wire sends the commands and says what a failure means. Package store
// encodes the records, and this package knows no rule about them.
//
// Every command, script and transaction touches exactly one key, so that no
// operation needs two slots of a Cluster. A list reads an index first and the
// records second. It skips an index entry without a record.
package redisstore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

var _ store.Store = (*Store)(nil)

// Store keeps grantd's records in Redis. It is safe for concurrent use.
type Store struct {
	redis          *wire.Client
	keys           keys
	now            func() time.Time
	feedRetention  time.Duration
	auditRetention time.Duration
	auditMaxEvents int
	acks           Acks
	clock          *store.SteadyClock // what is old by it is old for good
	log            *slog.Logger
	onUnsuitable   func(bool)
	onSkew         func(time.Duration, bool)
	clocks         clockWatch
	onReplicas     func(int)
	serves         bool
	watch          watch
	unconfirmed    unconfirmed

	clients       records[store.Client]
	orgs          records[store.Org]
	customers     records[store.Customer]
	partners      records[store.Partner]
	partnerTokens records[store.PartnerTokenOwner]
	apiKeys       records[store.APIKey]
	grants        records[store.Grant]
	holds         records[store.Hold]
	noticeQueues  records[store.NoticeQueue]
	signingKeys   records[store.SigningKeys]

	decoded store.ClientMemo

	mu      sync.Mutex
	newest  store.Position // in the feed, as far as this process knows
	feedRun string         // run id of the master that FeedLineage last returned
	// masterRuns are the run ids of all masters of a Cluster then; nil without one.
	masterRuns map[string]bool
}

// Open connects to Redis. It returns a Store once it has checked that Redis
// accepts writes and that its settings keep records.
//
// Errors: store.ErrUnavailable, store.ErrUnsuitable (the message names the
// setting to change), and others for options that make no sense.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	client, err := wire.New(o.wire())
	if err != nil {
		return nil, err
	}
	s := &Store{
		redis:          client,
		keys:           keys{prefix: o.KeyPrefix},
		now:            o.Now,
		feedRetention:  store.FeedRetention,
		auditRetention: o.AuditRetention,
		auditMaxEvents: o.AuditMaxEvents,
		acks:           o.Acks,
		clock:          store.NewSteadyClock(o.Now, o.Elapsed),
		log:            o.Log,
		onUnsuitable:   o.OnUnsuitable,
		onSkew:         o.OnSkew,
		onReplicas:     o.OnReplicas,
		unconfirmed:    unconfirmed{told: o.OnUnconfirmed},
		serves:         o.Serves,
	}
	s.clients = records[store.Client]{store.ClientKind, s, s.keys.client, s.keys.clientIndex(), s.decoded.Decode, ""}
	s.orgs = records[store.Org]{store.OrgKind, s, s.keys.org, s.keys.orgIndex(), nil, ""}
	s.customers = records[store.Customer]{store.CustomerKind, s, s.keys.customer, s.keys.customerIndex(), nil, s.keys.customerGroups()}
	s.partners = records[store.Partner]{store.PartnerKind, s, s.keys.partner, s.keys.partnerIndex(), nil, ""}
	s.partnerTokens = records[store.PartnerTokenOwner]{store.PartnerTokenKind, s, s.keys.partnerToken, s.keys.partnerTokenIndex(), nil, ""}
	s.apiKeys = records[store.APIKey]{store.APIKeyKind, s, s.keys.apiKey, s.keys.apiKeyIndex(), nil, s.keys.apiKeyGroups()}
	s.grants = records[store.Grant]{store.GrantKind, s, s.keys.grant, s.keys.grantIndex(), nil, ""}
	s.holds = records[store.Hold]{store.HoldKind, s, s.keys.hold, s.keys.holdIndex(), nil, ""}
	s.noticeQueues = records[store.NoticeQueue]{store.NoticeQueueKind, s, s.keys.noticeQueue, s.keys.noticeQueueIndex(), nil, ""}
	s.signingKeys = records[store.SigningKeys]{store.SigningKeysKind, s, s.keys.signingKey, s.keys.signingKeyIndex(), nil, ""}
	if err := s.check(ctx, o.Mode); err != nil {
		_ = s.Close() // the check's error says more
		return nil, err
	}
	s.look(ctx)
	s.compareClock(ctx)
	s.beat(ctx)
	s.startWatch()
	return s, nil
}

// check returns an error unless Redis can be used.
func (s *Store) check(ctx context.Context, mode Mode) error {
	if err := s.redis.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		if err := checkNode(ctx, node, mode); err != nil {
			return err
		}
		if appendsNothing(ctx, node) {
			s.log.WarnContext(ctx, "store: Redis writes no append-only file: when it restarts, what changed since its last snapshot is gone, or everything if it makes none; set appendonly yes", "redis", node.Options().Addr)
		}
		return nil
	}); err != nil {
		return err
	}
	return s.Ping(ctx)
}

// runCritical runs a script that a failover must not lose: it fails unless
// enough replicas have the result.
func (s *Store) runCritical(ctx context.Context, sc wire.Script, key string, args ...any) *redis.Cmd {
	return s.redis.RunAcked(ctx, wire.Ack{Replicas: s.acks.Critical}, sc, key, args...)
}

// Ping writes a key that expires, so that it fails on a Redis that can only be
// read (a replica, a full disk). It also fails while the settings of a master
// would lose records, and while Redis is so full that nothing new is made. Errors:
// store.ErrUnavailable, store.ErrUnsuitable.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.watch.unsuitable.Load(); err != nil {
		return *err
	}
	if err := s.redis.Set(ctx, s.keys.ping(), "1", pingTTL).Err(); err != nil {
		return wire.StoreError(ctx, "ping", err)
	}
	return s.room("ping")
}

// Shared returns true: other processes may write to the same Redis.
func (s *Store) Shared() bool { return true }

// Close closes the connections, also under commands that run.
func (s *Store) Close() error {
	s.stopWatch()
	return s.redis.Close()
}
