package redisstore

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Mode is the topology of the Redis (contract §6, store.redis.mode).
type Mode string

// The topologies.
const (
	ModeStandalone Mode = "standalone"
	ModeSentinel   Mode = "sentinel"
	ModeCluster    Mode = "cluster"
)

const (
	defaultTimeout        = time.Second // to dial, to read and to write
	defaultAuditRetention = 365 * 24 * time.Hour
	// retries of a read, and of the write of a token, after a broken
	// connection: one for a connection that died idle, one for its twin.
	retries = 2
	// pingTTL is the life of the key that Ping writes.
	pingTTL = time.Minute
)

// Options say which Redis to use and how. The zero value of an optional
// field means its default.
type Options struct {
	Mode       Mode     // "": standalone
	Addresses  []string // host:port: the one server, the sentinels, or some nodes of the Cluster
	MasterName string   // what the sentinels call the master; only with ModeSentinel
	DB         int      // 0 with ModeCluster
	Username   string
	Password   string
	KeyPrefix  string
	TLS        *tls.Config // nil: no TLS

	// Acks is how many replicas must have a write before it is answered.
	Acks Acks

	// OnTrip is told how many commands shared a round trip; nil: nobody is.
	// It must not block.
	OnTrip func(commands int)

	Now            func() time.Time // nil: time.Now
	AuditRetention time.Duration    // 0: 365 days

	DialTimeout  time.Duration // also of the wait for a free connection; these three, 0: 1 s
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	PoolSize     int // connections to each node; 0: 10 (Cluster: 5) for each core
}

// Acks is how many replicas have to acknowledge (contract §6, replica_acks).
type Acks struct {
	Critical int // voids, revocations, changes of clients and secrets
	Tokens   int // new tokens and tombstones
	Timeout  time.Duration
}

func (o Options) withDefaults() Options {
	o.Mode = cmp.Or(o.Mode, ModeStandalone)
	o.AuditRetention = cmp.Or(o.AuditRetention, defaultAuditRetention)
	o.DialTimeout = cmp.Or(o.DialTimeout, defaultTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, defaultTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, defaultTimeout)
	// The read time-out bounds WAIT too: it must not come first.
	o.Acks.Timeout = min(cmp.Or(o.Acks.Timeout, 100*time.Millisecond), o.ReadTimeout/2)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnTrip == nil {
		o.OnTrip = func(int) {}
	}
	return o
}

func (o Options) validate() error {
	switch {
	case len(o.Addresses) == 0:
		return errors.New("store.redis.addresses is empty")
	case o.Mode == ModeStandalone && len(o.Addresses) > 1:
		return errors.New("store.redis.addresses: standalone takes one address")
	case o.Mode == ModeSentinel && o.MasterName == "":
		return errors.New("store.redis.master_name is empty: sentinel needs it")
	case o.Mode != ModeSentinel && o.MasterName != "":
		return fmt.Errorf("store.redis.master_name is only for sentinel, not for %s", o.Mode)
	case o.Mode == ModeCluster && o.DB != 0:
		return errors.New("store.redis.db: a Cluster has only 0")
	}
	return nil
}

// client answers a client of the topology; it has not connected yet.
func (o Options) client() (redis.UniversalClient, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	u := &redis.UniversalOptions{
		Addrs:      slices.Clone(o.Addresses), // go-redis sorts and overwrites them
		MasterName: o.MasterName,
		DB:         o.DB,
		Username:   o.Username,
		Password:   o.Password,
		TLSConfig:  o.TLS,
		ClientName: "grantd",

		// Its own retries repeat writes: a script that had succeeded would
		// answer a conflict with itself. retry and once decide instead.
		MaxRetries:    -1,
		DialerRetries: 1,
		// Without it, a deadline does not reach the socket.
		ContextTimeoutEnabled: true,

		DialTimeout:  o.DialTimeout,
		ReadTimeout:  o.ReadTimeout,
		WriteTimeout: o.WriteTimeout,
		PoolTimeout:  o.DialTimeout,
		PoolSize:     o.PoolSize,
		// Nearly everything is a pipeline here (batch.go), so they have no
		// connections of their own.
		PipelinePoolSize: -1,

		// RESP2 has no messages in between answers to look out for.
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch o.Mode {
	case ModeStandalone:
		return redis.NewClient(u.Simple()), nil
	case ModeSentinel:
		return redis.NewFailoverClient(u.Failover()), nil
	case ModeCluster:
		c := u.Cluster()
		// Every command here has one key, so there is nothing to split over
		// nodes; what does that fills in answers by the command's type, which
		// clusterHook hides.
		c.DisableRoutingPolicies = true
		cluster := redis.NewClusterClient(c)
		cluster.AddHook(clusterHook{cluster})
		return cluster, nil
	}
	return nil, fmt.Errorf("store.redis.mode %q is none of standalone, sentinel, cluster", o.Mode)
}
