package redisstore_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/store/storetest/redistest"
)

// startCluster answers the addresses of two masters with half of the slots
// each.
func startCluster(t *testing.T) []string {
	t.Helper()
	ctx := within(t)
	var addrs []string
	var nodes []*redis.Client
	for range 2 {
		s := redistest.Start(t, "--cluster-enabled", "yes")
		addrs, nodes = append(addrs, s.Addr), append(nodes, raw(t, s.Addr))
		if len(nodes) == 1 {
			continue
		}
		if err := nodes[0].ClusterMeet(ctx, "127.0.0.1", port(t, s)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	const slots = 16384
	for i, n := range nodes {
		if err := n.ClusterAddSlotsRange(ctx, i*slots/2, (i+1)*slots/2-1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		await(t, "the Cluster is whole", func() bool {
			info := parseLines(n.ClusterInfo(ctx).Val())
			return info["cluster_state"] == "ok" && info["cluster_size"] == "2"
		})
	}
	return addrs
}

func TestCluster(t *testing.T) {
	addrs := startCluster(t)
	o := redisstore.Options{Mode: redisstore.ModeCluster, Addresses: addrs[:1]}
	t.Run("Contract", func(t *testing.T) { storetest.Run(t, newHarness(o, addrs...)) })
	t.Run("LostAnswerIsNotRepeated", func(t *testing.T) { lostAnswer(t, o) })
	t.Run("EveryMasterIsChecked", func(t *testing.T) {
		raw(t, addrs[1]).ConfigSet(within(t), "maxmemory-policy", "allkeys-lru")
		refuses(t, o, store.ErrUnsuitable, "allkeys-lru")
	})
}

// A script that ran, but whose answer was lost, must not run again: it would
// find its own work and call it a conflict.
func lostAnswer(t *testing.T, cluster redisstore.Options) {
	s := open(t, "", func(o *redisstore.Options) { *o = cluster })
	ctx := within(t)
	c := store.Client{ID: "a"}
	if err := s.CreateClient(ctx, c); err != nil {
		t.Fatal(err)
	}
	cut := &cutter{}
	if err := s.HookMasters(ctx, cut); err != nil {
		t.Fatal(err)
	}
	c.Version = 1
	if err := s.UpdateClient(ctx, c); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("%v, want one that says that the outcome is unknown", err)
	}
	if cut.scripts != 1 {
		t.Fatalf("the script was sent %d times", cut.scripts)
	}
	if got, err := s.GetClient(ctx, "a"); err != nil || got.Version != 2 {
		t.Fatalf("version %d, %v", got.Version, err)
	}
}

// cutter loses the answers of scripts.
type cutter struct{ scripts int }

func (*cutter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*cutter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *cutter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err != nil || !strings.HasPrefix(cmd.Name(), "eval") {
			return err
		}
		c.scripts++
		return io.ErrUnexpectedEOF
	}
}

// startSentinel answers a master and a sentinel that calls it main.
func startSentinel(t *testing.T) (master, sentinel *redistest.Server) {
	t.Helper()
	master = redistest.Start(t)
	conf := filepath.Join(t.TempDir(), "sentinel.conf") // the sentinel rewrites it
	text := "sentinel monitor main 127.0.0.1 " + port(t, master) + " 1\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return master, redistest.Start(t, conf, "--sentinel")
}

func TestSentinel(t *testing.T) {
	_, sentinel := startSentinel(t)
	s := open(t, sentinel.Addr, func(o *redisstore.Options) { o.Mode, o.MasterName = redisstore.ModeSentinel, "main" })
	last := appended(t, s, void("a"))
	if entries, err := s.ReadFeed(within(t), store.Position{}, 0); err != nil || len(entries) != 1 || entries[0].Position != last {
		t.Fatalf("%v, %v", entries, err)
	}
	refuses(t, redisstore.Options{Mode: redisstore.ModeSentinel, Addresses: []string{sentinel.Addr}, MasterName: "other"}, store.ErrUnavailable)
}

// A sentinel that forgot the master answers nil; that is not a token that is
// gone.
func TestSentinelWithoutMasterIsUnavailable(t *testing.T) {
	master, sentinel := startSentinel(t)
	s := open(t, sentinel.Addr, func(o *redisstore.Options) { o.Mode, o.MasterName = redisstore.ModeSentinel, "main" })
	if err := raw(t, sentinel.Addr).Do(within(t), "sentinel", "remove", "main").Err(); err != nil {
		t.Fatal(err)
	}
	master.Stop()
	for range 5 {
		if _, err := s.GetToken(within(t), store.Digest{1}); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("%v", err)
		}
	}
}
