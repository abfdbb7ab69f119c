package redisstore

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

const (
	// redirects of one operation: as many as a ClusterClient follows.
	redirects = 3
	// tryAgainAfter is the pause before a slot on its way is asked again.
	tryAgainAfter = 20 * time.Millisecond
)

// onMaster has do send a pipeline to the master that holds the key, and
// follows a Cluster whose slot is elsewhere or on its way (MOVED, ASK,
// TRYAGAIN): a ClusterClient does so for its own commands, but not for a
// pipeline to one node. do answers the error of its commands on the key, and
// sends ASKING before each of them if asked to. A command that was answered so
// has not run: to send it again is safe, whatever it does.
func (s *Store) onMaster(ctx context.Context, key string, do func(node *redis.Client, asking bool) error) error {
	node, err := s.node(ctx, key)
	if err != nil {
		return err
	}
	err = do(node, false)
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return err
	}
	asking := false
	for range redirects {
		switch {
		case hasCode(err, "MOVED", "ASK"):
			asking = hasCode(err, "ASK")
			if node, err = s.redirected(ctx, cluster, key, err); err != nil {
				return err
			}
		case hasCode(err, "TRYAGAIN"):
			if !sleep(ctx, tryAgainAfter) {
				return err
			}
		default:
			remap(ctx, cluster, err)
			return err
		}
		err = do(node, asking)
	}
	return err
}

// redirected answers a client of the node that a MOVED or an ASK names. Reading
// the Cluster's map anew finds it; where it does not, the map's own answer is
// the next guess.
func (s *Store) redirected(ctx context.Context, cluster *redis.ClusterClient, key string, err error) (*redis.Client, error) {
	words := strings.Fields(err.Error()) // MOVED slot host:port
	found, err := s.masters.find(ctx, cluster, words[len(words)-1])
	if found != nil || err != nil {
		return found, err
	}
	return cluster.MasterForKey(ctx, key)
}

// foundFor is how long a master that was found by its address is not looked
// for again. A slot that is on its way redirects every command on it.
const foundFor = time.Second

// masters finds the masters of a Cluster by address, each with one reading of
// the map for all who look at the same time.
type masters struct {
	flight singleflight.Group
	mu     sync.Mutex
	known  map[string]foundMaster
}

type foundMaster struct {
	node *redis.Client
	at   time.Time
}

// find answers nil if there is no such master.
func (m *masters) find(ctx context.Context, cluster *redis.ClusterClient, addr string) (*redis.Client, error) {
	m.mu.Lock()
	f, ok := m.known[addr]
	m.mu.Unlock()
	if ok && time.Since(f.at) < foundFor {
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

// remap has the map of a Cluster read again, if this is one and the error may
// mean that it is out of date.
func (s *Store) remap(ctx context.Context, err error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		remap(ctx, cluster, err)
	}
}

// remap has the Cluster's map read again, soon and in the background, after an
// error that may mean that it is out of date. go-redis does so only for MOVED,
// and otherwise every 10 s: that long nobody would look for the replica that
// was promoted.
func remap(ctx context.Context, cluster *redis.ClusterClient, err error) {
	if err != nil && !isNil(err) && (!isReply(err) || hasCode(err, passing...)) {
		cluster.ReloadState(ctx)
	}
}

// clusterHook sees everything that a ClusterClient sends. It calls remap for
// it, and keeps the client from repeating it: a ClusterClient does so four
// times, whatever MaxRetries says, so that a node which hangs would hold a
// read for four time-outs. retry and once decide instead. MOVED and ASK are
// still followed.
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

// sleep answers false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// asked puts ASKING before the next command if it is needed.
func asked(ctx context.Context, pipe redis.Pipeliner, asking bool) redis.Pipeliner {
	if asking {
		_ = pipe.Process(ctx, redis.NewStatusCmd(ctx, "asking"))
	}
	return pipe
}
