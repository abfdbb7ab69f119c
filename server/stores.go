package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/redisstore"
)

// storeOptions are what a store gets besides its configuration.
type storeOptions struct {
	now          func() time.Time
	log          *slog.Logger
	serves       bool      // this process serves requests
	onCommit     func(int) // see embedded.Options; nil: it is not called
	onTrip       func(int) // see redisstore.Options, also for the next one
	onUnsuitable func(bool)
	onSkew       func(time.Duration, bool)
	onReplicas   func(int)
	// onUnconfirmed is told whether changes are in force that too few replicas have.
	onUnconfirmed func(bool)
}

// openStore opens the configured store, to serve requests.
func (s *Server) openStore(ctx context.Context) (store.Store, error) {
	return openStore(ctx, s.cfg, storeOptions{
		now: s.now, log: s.log, serves: true, onCommit: s.metrics.Batch, onTrip: s.metrics.Trip, onUnsuitable: s.metrics.StoreUnsuitable,
		onSkew: s.noticeSkew, onReplicas: s.metrics.RedisReplicas, onUnconfirmed: s.metrics.StoreUnconfirmed,
	})
}

func openStore(ctx context.Context, cfg config.Config, o storeOptions) (store.Store, error) {
	if cfg.Store.Backend == backendRedis {
		return openRedis(ctx, cfg, o)
	}
	return openEmbedded(cfg, cfg.Store.Embedded.Path, o)
}

// backendRedis is the value of store.backend for Redis.
const backendRedis = "redis"

func openEmbedded(cfg config.Config, path string, o storeOptions) (store.Store, error) {
	opened, err := embedded.Open(embedded.Options{
		Path: path, Now: o.now, AuditRetention: cfg.Audit.Retention, AuditMaxEvents: cfg.Audit.MaxEvents,
		Logger: o.log, OnCommit: o.onCommit,
	})
	if err != nil {
		return nil, fmt.Errorf("store.embedded.path: %w", err)
	}
	return opened, nil
}

func openRedis(ctx context.Context, cfg config.Config, with storeOptions) (store.Store, error) {
	r := cfg.Store.Redis
	critical, tokens := r.Acks()
	o := redisstore.Options{
		Acks: redisstore.Acks{Critical: critical, Tokens: tokens, Timeout: r.ReplicaAckTimeout},

		Mode: redisstore.Mode(r.Mode), Addresses: r.Addresses, MasterName: r.MasterName, DB: r.DB,
		KeyPrefix: r.KeyPrefix, Now: with.now, AuditRetention: cfg.Audit.Retention, AuditMaxEvents: cfg.Audit.MaxEvents,
		OnTrip: with.onTrip, Log: with.log, OnUnsuitable: with.onUnsuitable, Serves: with.serves,
		OnSkew: with.onSkew, OnReplicas: with.onReplicas, OnUnconfirmed: with.onUnconfirmed,
	}
	var err error
	if o.Login, err = loginOf("store.redis.password_file", r.Username, r.PasswordFile, with.log); err != nil {
		return nil, err
	}
	if o.Sentinel, err = loginOf("store.redis.sentinel.password_file", r.Sentinel.Username, r.Sentinel.PasswordFile, with.log); err != nil {
		return nil, err
	}
	if o.TLS, err = redisTLS(r, with.log); err != nil {
		return nil, err
	}
	opened, err := redisstore.Open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("store.redis: %w", withReason(err))
	}
	return opened, nil
}

// withReason returns err with the sentence of its cause, which names the keys to
// check. It adds nothing if no cause is known.
func withReason(err error) error {
	switch cause := store.CauseOf(err); cause {
	case "", store.CauseUnavailable, store.CauseLogin, store.CauseRights, store.CauseSentinelLogin, store.CauseUnsuitable:
		return err // the sentence only refers to the log, or the error names the keys already
	default:
		return fmt.Errorf("%w: %s", err, cause.Reason())
	}
}
