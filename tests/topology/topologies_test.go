package topology_test

import (
	"slices"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// topology is what the tests need that run on Sentinel and on Cluster.
type redisServer = redistest.Server

type topology interface {
	configure(*config.Config)
	// master returns the master of the key, or nil if there is none.
	master(t testing.TB, key string) *redistest.Server
	// promotion waits until the key has another master than old.
	promotion(t testing.TB, key string, old *redistest.Server) *redistest.Server
	// replicas returns the replicas that have the key, or all of them for "".
	replicas(t testing.TB, key string) []*redistest.Server
	// replicated waits until a replica has everything that was written.
	replicated(t testing.TB)
	// heal starts every node that is down and waits until all are in sync.
	heal(t testing.TB)
}

type sentinel struct{ *redistest.Sentinel }

func (s sentinel) configure(c *config.Config) {
	c.Store.Redis.Mode, c.Store.Redis.Addresses, c.Store.Redis.MasterName = "sentinel", s.Addrs(), redistest.MasterName
}

func (s sentinel) master(testing.TB, string) *redistest.Server { return s.Master() }

func (s sentinel) promotion(t testing.TB, _ string, old *redistest.Server) *redistest.Server {
	t.Helper()
	return s.AwaitPromotion(t, old)
}

func (s sentinel) replicas(testing.TB, string) []*redistest.Server { return s.Replicas() }

func (s sentinel) replicated(t testing.TB) {
	t.Helper()
	s.Master().AwaitReplicated(t, 2)
}

func (s sentinel) heal(t testing.TB) { t.Helper(); s.Heal(t) }

type cluster struct{ *redistest.Cluster }

func (c cluster) configure(cfg *config.Config) {
	cfg.Store.Redis.Mode, cfg.Store.Redis.Addresses = "cluster", c.Addrs()
}

func (c cluster) master(t testing.TB, key string) *redistest.Server {
	t.Helper()
	return c.Master(c.Slot(t, key))
}

func (c cluster) promotion(t testing.TB, key string, old *redistest.Server) *redistest.Server {
	t.Helper()
	return c.AwaitPromotion(t, c.Slot(t, key), old)
}

func (c cluster) replicas(t testing.TB, key string) []*redistest.Server {
	t.Helper()
	if key != "" {
		return []*redistest.Server{c.Replica(t, c.master(t, key))}
	}
	masters := c.Masters()
	return slices.DeleteFunc(slices.Clone(c.Nodes), func(n *redistest.Server) bool { return slices.Contains(masters, n) })
}

func (c cluster) replicated(t testing.TB) {
	t.Helper()
	for _, m := range c.Masters() {
		m.AwaitReplicated(t, 1)
	}
}

func (c cluster) heal(t testing.TB) { t.Helper(); c.Heal(t) }

// both runs the tests that run on every topology.
func both(t *testing.T, top topology) {
	t.Run("Story", func(t *testing.T) { story(t, top) })
	t.Run("MasterKilled", func(t *testing.T) { masterKilled(t, top) })
	t.Run("LostTail", func(t *testing.T) { lostTail(t, top) })
	t.Run("NoWitness", func(t *testing.T) { noWitness(t, top) })
	t.Run("Acks", func(t *testing.T) { acks(t, top) })
}

func TestSentinel(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs Redis Sentinel")
	}
	t.Parallel()
	both(t, sentinel{redistest.StartSentinel(t)})
}

func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs a Redis Cluster")
	}
	t.Parallel()
	c := cluster{redistest.StartCluster(t)}
	both(t, c)
	t.Run("SlotMoves", func(t *testing.T) { slotMoves(t, c) })
	t.Run("Down", func(t *testing.T) { down(t, c) })
}
