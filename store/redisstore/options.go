package redisstore

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/grantd/grantd/store/redisstore/wire"
)

// Mode is the topology of the Redis, as store.redis.mode names it.
type Mode = wire.Mode

// Login is the account for a server.
type Login = wire.Login

// The topologies.
const (
	ModeStandalone = wire.ModeStandalone
	ModeSentinel   = wire.ModeSentinel
	ModeCluster    = wire.ModeCluster
)

const (
	defaultAuditRetention = 365 * 24 * time.Hour
	defaultAuditMaxEvents = 1_000_000
	// pingTTL is the life of the key that Ping writes.
	pingTTL = time.Minute
)

// Options say which Redis to use and how. The zero value of an optional
// field means its default.
type Options struct {
	Mode       Mode     // "": standalone
	Addresses  []string // host:port: the one server (or unix:PATH), the sentinels, or some nodes of the Cluster
	MasterName string   // what the sentinels call the master; only with ModeSentinel
	DB         int      // 0 with ModeCluster
	Login      Login    // to Redis
	Sentinel   Login    // to the sentinels
	KeyPrefix  string
	Serves     bool        // this process serves requests: see store.Copies.Serving
	TLS        *tls.Config // nil: no TLS

	// Acks is how many replicas must have a write before it succeeds.
	Acks Acks

	// OnTrip is called with the number of commands that shared a round trip;
	// nil: it is not called. It must not block.
	OnTrip func(commands int)

	// Log gets what an operator should know about; nil: nothing is logged.
	Log *slog.Logger
	// OnUnsuitable is called when the settings of Redis change so that they would
	// lose records, and when they are right again; nil: it is not called.
	OnUnsuitable func(is bool)
	// OnSkew is called about once a minute with how far the clock of this process is
	// ahead of that of Redis, and whether that is too much; nil: it is not called.
	OnSkew func(skew time.Duration, tooMuch bool)
	// OnReplicas is called each second with the number of replicas of the master
	// that has the fewest; nil: it is not called.
	OnReplicas func(fewest int)
	// OnUnconfirmed is called when the first change is in force that too few
	// replicas have, and when they have all; nil: it is not called. It must not
	// call the store.
	OnUnconfirmed func(is bool)

	Now            func() time.Time     // nil: time.Now
	Elapsed        func() time.Duration // the monotonic clock; nil: that of the process
	AuditRetention time.Duration        // 0: 365 days
	AuditMaxEvents int                  // how many events each stream of the audit keeps; 0: 1,000,000

	DialTimeout  time.Duration // also bounds the wait for a free connection; 0: 1 s
	ReadTimeout  time.Duration // 0: 1 s
	WriteTimeout time.Duration // 0: 1 s
	PoolSize     int           // connections to each node; 0: 10 (Cluster: 5) for each core
}

// Acks is how many replicas must acknowledge a write, as
// store.redis.replica_acks says.
type Acks struct {
	Critical int           // voids, revocations, changes of records, verifications; see Store.Unconfirmed
	Tokens   int           // new tokens and tombstones
	Timeout  time.Duration // 0: 100 ms; at most half of ReadTimeout
}

func (o Options) withDefaults() Options {
	o.AuditRetention = cmp.Or(o.AuditRetention, defaultAuditRetention)
	o.AuditMaxEvents = cmp.Or(o.AuditMaxEvents, defaultAuditMaxEvents)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnUnsuitable == nil {
		o.OnUnsuitable = func(bool) {}
	}
	if o.OnSkew == nil {
		o.OnSkew = func(time.Duration, bool) {}
	}
	if o.OnReplicas == nil {
		o.OnReplicas = func(int) {}
	}
	if o.OnUnconfirmed == nil {
		o.OnUnconfirmed = func(bool) {}
	}
	return o
}

// wire returns the part of the options that is about the connections.
func (o Options) wire() wire.Options {
	return wire.Options{
		Mode: o.Mode, Addresses: o.Addresses, MasterName: o.MasterName, DB: o.DB,
		Login: o.Login, Sentinel: o.Sentinel, TLS: o.TLS,
		AckTimeout: o.Acks.Timeout, OnTrip: o.OnTrip,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolSize: o.PoolSize,
	}
}
