package wire

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

// masterTTL is how long the address of a master is remembered. A slot that is
// moving redirects every command on it, and these commands should not all read
// the map.
const masterTTL = time.Second

// masters finds the masters of a Cluster by address. Callers that look at the
// same time share one reading of the map.
type masters struct {
	flight singleflight.Group
	mu     sync.Mutex
	known  map[string]foundMaster
}

type foundMaster struct {
	node *redis.Client
	at   time.Time
}

// find returns nil if no master has the address.
func (m *masters) find(ctx context.Context, cluster *redis.ClusterClient, addr string) (*redis.Client, error) {
	m.mu.Lock()
	f, ok := m.known[addr]
	m.mu.Unlock()
	if ok && time.Since(f.at) < masterTTL {
		return f.node, nil
	}
	shared := context.WithoutCancel(ctx)
	found, err, _ := m.flight.Do(addr, func() (any, error) {
		known := map[string]foundMaster{}
		var mu sync.Mutex
		err := cluster.ForEachMaster(shared, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			known[node.Options().Addr] = foundMaster{node, time.Now()}
			return nil
		})
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.known = known
		return known[addr].node, nil
	})
	if err != nil {
		return nil, err
	}
	return found.(*redis.Client), nil
}

// remap has the Cluster's map read again after an error that may mean that the
// map is out of date. Without a Cluster it does nothing.
func (c *Client) remap(ctx context.Context, err error) {
	if cluster, ok := c.UniversalClient.(*redis.ClusterClient); ok {
		remap(ctx, cluster, err)
	}
}

// remap has the Cluster's map read again, soon and in the background, after an
// error that may mean that the map is out of date. go-redis does so only for
// MOVED, and otherwise every 10 s: for that long, a promoted replica would not
// be found.
func remap(ctx context.Context, cluster *redis.ClusterClient, err error) {
	if err != nil && !IsNil(err) && (!isReply(err) || hasCode(err, transient...)) {
		cluster.ReloadState(ctx)
	}
}

// clusterHook sees everything that a ClusterClient sends. It calls remap after
// each command, and keeps the client from repeating it: a ClusterClient
// repeats four times whatever MaxRetries says, so a node that hangs would hold
// a read for four timeouts, and a write could run twice. Retry decides
// instead. MOVED and ASK are still followed.
type clusterHook struct{ cluster *redis.ClusterClient }

// unrepeated is a command that a ClusterClient does not repeat.
type unrepeated struct{ redis.Cmder }

func (unrepeated) NoRetry() bool { return true }

func (clusterHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h clusterHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, unrepeated{cmd})
		remap(ctx, h.cluster, err)
		return err
	}
}

func (h clusterHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		wrapped := make([]redis.Cmder, len(cmds))
		for i, cmd := range cmds {
			wrapped[i] = unrepeated{cmd}
		}
		err := next(ctx, wrapped)
		remap(ctx, h.cluster, err)
		return err
	}
}
