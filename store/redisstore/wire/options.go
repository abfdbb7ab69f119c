package wire

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Mode is the topology of the Redis, as store.redis.mode names it.
type Mode string

// The topologies.
const (
	ModeStandalone Mode = "standalone"
	ModeSentinel   Mode = "sentinel"
	ModeCluster    Mode = "cluster"
)

const (
	defaultTimeout    = time.Second // to dial, to read and to write
	defaultAckTimeout = 100 * time.Millisecond
)

// Options say which Redis to use and how. The zero value of an optional
// field means its default.
type Options struct {
	Mode       Mode        // "": standalone
	Addresses  []string    // host:port: the one server (or unix:PATH), the sentinels, or some nodes of the Cluster
	MasterName string      // what the sentinels call the master; only with ModeSentinel
	DB         int         // 0 with ModeCluster
	Login      Login       // to Redis
	Sentinel   Login       // to the sentinels
	TLS        *tls.Config // nil: no TLS; it is for the sentinels too

	// AckTimeout is how long a write waits for its replicas; 0: 100 ms. It is
	// cut to half of ReadTimeout.
	AckTimeout time.Duration

	// OnTrip is called with the number of commands that shared a round trip;
	// nil: it is not called. It must not block.
	OnTrip func(commands int)

	DialTimeout  time.Duration // also bounds the wait for a free connection; 0: 1 s
	ReadTimeout  time.Duration // 0: 1 s
	WriteTimeout time.Duration // 0: 1 s
	PoolSize     int           // connections to each node; 0: 10 (Cluster: 5) for each core
}

func (o Options) withDefaults() Options {
	o.Mode = cmp.Or(o.Mode, ModeStandalone)
	o.DialTimeout = cmp.Or(o.DialTimeout, defaultTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, defaultTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, defaultTimeout)
	// The read timeout bounds WAIT too, so it must not come first.
	o.AckTimeout = min(cmp.Or(o.AckTimeout, defaultAckTimeout), o.ReadTimeout/2)
	if o.OnTrip == nil {
		o.OnTrip = func(int) {}
	}
	return o
}

func (o Options) validate() error {
	switch {
	case len(o.Addresses) == 0:
		return errors.New("store.redis.addresses is empty: set it to the host:port of Redis")
	case o.Mode == ModeStandalone && len(o.Addresses) > 1:
		return fmt.Errorf("store.redis.addresses has %d addresses, but mode standalone takes one: remove the others or change store.redis.mode", len(o.Addresses))
	case o.Mode == ModeSentinel && o.MasterName == "":
		return errors.New("store.redis.master_name is empty: set it to the name that the sentinels give the master")
	case o.Mode != ModeSentinel && o.MasterName != "":
		return fmt.Errorf("store.redis.master_name is set, but store.redis.mode is %s: remove it or set the mode to sentinel", o.Mode)
	case o.Mode == ModeCluster && o.DB != 0:
		return fmt.Errorf("store.redis.db is %d, but a Cluster has only database 0: remove it", o.DB)
	}
	return nil
}

// connect returns a client of the topology. It has not connected yet.
func (o Options) connect() (redis.UniversalClient, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	u := &redis.UniversalOptions{
		Addrs:      slices.Clone(o.Addresses), // go-redis sorts and overwrites them
		MasterName: o.MasterName,
		DB:         o.DB,
		TLSConfig:  o.TLS,
		Dialer:     o.dial,
		ClientName: "grantd",

		// It is called for each new connection.
		CredentialsProviderContext: o.Login.credentials,

		// Its own retries repeat writes: a script that had succeeded would
		// report a conflict with itself. Retry decides instead.
		MaxRetries:    -1,
		DialerRetries: 1,
		// Without it, a deadline does not reach the socket.
		ContextTimeoutEnabled: true,

		DialTimeout:  o.DialTimeout,
		ReadTimeout:  o.ReadTimeout,
		WriteTimeout: o.WriteTimeout,
		PoolTimeout:  o.DialTimeout,
		PoolSize:     o.PoolSize,
		// Nearly everything is a pipeline here (batch.go), so pipelines need
		// no separate connections.
		PipelinePoolSize: -1,

		// RESP2 has no messages between replies.
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch o.Mode {
	case ModeStandalone:
		simple := u.Simple()
		if path, ok := strings.CutPrefix(simple.Addr, unixPrefix); ok {
			simple.Network, simple.Addr = "unix", path
		}
		return redis.NewClient(simple), nil
	case ModeSentinel:
		client := redis.NewFailoverClient(u.Failover())
		client.AddHook(masterHook{})
		return client, nil
	case ModeCluster:
		c := u.Cluster()
		// Every command here has one key, so there is nothing to split over
		// nodes. The code that would split fills in replies by the command's
		// type, which clusterHook hides.
		c.DisableRoutingPolicies = true
		cluster := redis.NewClusterClient(c)
		cluster.AddHook(clusterHook{cluster})
		return cluster, nil
	}
	return nil, fmt.Errorf("store.redis.mode is %q: set it to standalone, sentinel or cluster", o.Mode)
}
