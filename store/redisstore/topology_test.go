package redisstore_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/poll"
)

func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs a Redis Cluster")
	}
	t.Parallel()
	c := redistest.StartCluster(t)
	masters := make([]string, 0, 3)
	for _, n := range c.Masters() {
		masters = append(masters, n.Addr)
	}
	o := patient(redisstore.Options{Mode: redisstore.ModeCluster, Addresses: masters[:1]})
	safe := o
	safe.Acks.Critical = 1 // as auto means on Sentinel and Cluster
	t.Run("Contract", func(t *testing.T) { storetest.Run(t, newHarness(safe, masters...)) })
	t.Run("SlotMoves", func(t *testing.T) { slotMoves(t, c, o) })
	t.Run("DeletedAndCreatedAtOnce", func(t *testing.T) { deletedAndCreated(t, o) })
	t.Run("FailoverKeepsTheFeed", func(t *testing.T) {
		failoverKeeps(t, safe, func(key string) (*redistest.Server, func()) {
			slot := c.Slot(t, key)
			old := c.Master(slot)
			return old, func() { c.AwaitPromotion(t, slot, old) }
		})
		c.Heal(t)
	})
	masters = nil // others, since the failover
	for _, n := range c.Masters() {
		masters = append(masters, n.Addr)
	}
	t.Run("LostReplyIsNotRepeated", func(t *testing.T) { lostReply(t, o) })
	t.Run("EveryMasterIsChecked", func(t *testing.T) {
		last := raw(t, masters[len(masters)-1])
		last.ConfigSet(within(t), "maxmemory-policy", "allkeys-lru")
		refuses(t, o, store.ErrUnsuitable, "allkeys-lru")
		last.ConfigSet(within(t), "maxmemory-policy", "noeviction")
	})
	t.Run("EveryMasterIsWatched", func(t *testing.T) {
		s := open(t, "", func(to *redisstore.Options) { *to = o })
		last := raw(t, masters[len(masters)-1])
		for limit, refused := range map[string]bool{"1": true, "0": false} {
			last.ConfigSet(within(t), "maxmemory", limit)
			poll.Await(t, patience, "one master with maxmemory "+limit, func() string {
				err := s.PutToken(within(t), store.Digest{1}, ordinary(time.Now()))
				if refused != (err != nil && strings.Contains(err.Error(), "nearly full")) || !refused && err != nil {
					return "error: " + text(err)
				}
				return ""
			})
		}
		last.ConfigSet(within(t), "maxmemory", "0")
	})
}

// lostReply: a script that ran, but whose reply was lost, must not run again. It
// would find its own change and report a conflict.
func lostReply(t *testing.T, cluster redisstore.Options) {
	s := open(t, "", func(o *redisstore.Options) { *o = cluster })
	ctx := within(t)
	c := store.Client{ID: "a"}
	if err := s.Clients().Create(ctx, c); err != nil {
		t.Fatal(err)
	}
	cut := &cutter{}
	if err := s.HookMasters(ctx, cut); err != nil {
		t.Fatal(err)
	}
	c.Version = 1
	if err := s.Clients().Update(ctx, c); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("%v, want an error that says that the outcome is unknown", err)
	}
	if cut.scripts != 1 {
		t.Fatalf("the script was sent %d times", cut.scripts)
	}
	if got, err := s.Clients().Get(ctx, "a"); err != nil || got.Version != 2 {
		t.Fatalf("version %d, %v", got.Version, err)
	}
}

// cutter loses the replies to scripts.
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

// startSentinel starts a master and a sentinel that calls it main.
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
	if testing.Short() {
		t.Skip("it needs Redis Sentinel")
	}
	t.Parallel()
	s := redistest.StartSentinel(t)
	o := patient(redisstore.Options{Mode: redisstore.ModeSentinel, Addresses: s.Addrs(), MasterName: redistest.MasterName})
	o.Acks.Critical = 1 // as auto means on Sentinel and Cluster
	t.Run("Contract", func(t *testing.T) { storetest.Run(t, newHarness(o, s.Master().Addr)) })
	t.Run("FailoverKeepsTheFeed", func(t *testing.T) {
		failoverKeeps(t, o, func(string) (*redistest.Server, func()) {
			old := s.Master()
			return old, func() { s.AwaitPromotion(t, old) }
		})
		s.Heal(t)
	})
	t.Run("FailoverLosesTheTail", func(t *testing.T) { failoverLoses(t, s, o) })
	t.Run("FailoverLosesWhatIsUnconfirmed", func(t *testing.T) { failoverUnconfirmed(t, s, o) })
}

// failoverUnconfirmed checks a change that no replica has when its master dies: it
// does not count as confirmed. The new master has no replica: the next change is in
// force, and is confirmed once the others are back.
func failoverUnconfirmed(t *testing.T, top *redistest.Sentinel, o redisstore.Options) {
	said := &told{}
	o.KeyPrefix = "unconfirmed:"
	said.options(&o)
	o.Acks.Timeout = 200 * time.Millisecond
	s := open(t, "", func(p *redisstore.Options) { *p = o })
	if err := s.Orgs().Create(within(t), store.Org{ID: "kept"}); err != nil || s.Unconfirmed() {
		t.Fatalf("with replicas: %v, unconfirmed %t", err, s.Unconfirmed())
	}
	old := top.Master()
	replicas := top.Replicas()
	for _, r := range replicas {
		r.Cut(t, old)
	}
	if err := s.Orgs().Create(within(t), store.Org{ID: "lost"}); err != nil || !s.Unconfirmed() {
		t.Fatalf("without replicas: %v, unconfirmed %t", err, s.Unconfirmed())
	}
	old.Kill()
	for _, r := range replicas {
		r.Mend(t)
	}
	master := top.AwaitPromotion(t, old)
	poll.AwaitTrue(t, patience, "the loss is noticed", func() bool {
		return strings.Contains(said.logged(), "may be lost")
	})
	if _, err := s.Orgs().Get(within(t), "lost"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the org that no replica had: %v", err)
	}
	for _, r := range replicas {
		if r != master {
			r.Cut(t, master)
		}
	}
	poll.AwaitTrue(t, patience, "a change on the new master", func() bool {
		_, err := s.AppendFeed(within(t), void("a"))
		return err == nil
	})
	if !s.Unconfirmed() {
		t.Error("confirmed without a replica, after the failover")
	}
	for _, r := range replicas {
		r.Mend(t)
	}
	top.Heal(t)
	poll.AwaitTrue(t, patience, "the change is confirmed", func() bool { return !s.Unconfirmed() })
}

// failoverKeeps: a failover that lost nothing is still another incarnation,
// which a reader must check.
func failoverKeeps(t *testing.T, o redisstore.Options, master func(key string) (old *redistest.Server, promoted func())) {
	o.KeyPrefix = "keeps:"
	s := open(t, "", func(p *redisstore.Options) { *p = o })
	last := appended(t, s, void("a"), void("b"))
	before, err := s.FeedLineage(within(t))
	if err != nil {
		t.Fatal(err)
	}
	old, promoted := master("keeps:feed")
	old.Kill()
	promoted()
	poll.AwaitTrue(t, patience, "the feed is read again, as another incarnation's", func() bool {
		_, err := s.ReadFeed(within(t), last, 0)
		if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrFeedLost) {
			t.Error(err)
		}
		return errors.Is(err, store.ErrFeedLost)
	})
	after, err := s.FeedLineage(within(t))
	if err != nil || after.Current == before.Current {
		t.Fatalf("lineage %+v, was %+v: %v", after, before, err)
	}
	if entries, err := s.ReadFeed(within(t), store.Position{}, 0); err != nil || len(entries) != 2 || entries[1].Position != last {
		t.Fatalf("%v, %v", entries, err)
	}
	if entries, err := s.ReadFeed(within(t), last, 0); err != nil || len(entries) != 0 {
		t.Fatalf("%v, %v", entries, err)
	}
}

// failoverLoses: the promoted replica lacks the newest entry. A reader at that
// entry gets ErrFeedLost, whether the end of the feed is before it or, once
// others have appended, after it. No position is used twice.
func failoverLoses(t *testing.T, top *redistest.Sentinel, o redisstore.Options) {
	o.KeyPrefix, o.Acks.Critical = "loses:", 0
	s, other := open(t, "", func(p *redisstore.Options) { *p = o }), open(t, "", func(p *redisstore.Options) { *p = o })
	kept := appended(t, s, void("kept"))
	old := top.Master()
	old.AwaitReplicated(t, 2)
	replicas := top.Replicas()
	for _, r := range replicas {
		r.Cut(t, old)
	}
	lost := appended(t, s, void("lost"))
	old.Kill()
	for _, r := range replicas {
		r.Mend(t)
	}
	top.AwaitPromotion(t, old)
	poll.AwaitTrue(t, patience, "the store is back", func() bool { return s.Ping(within(t)) == nil && other.Ping(within(t)) == nil })
	for range 2 {
		if _, err := s.FeedLineage(within(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadFeed(within(t), lost, 0); !errors.Is(err, store.ErrFeedLost) {
			t.Fatalf("after an entry that is lost: %v", err)
		}
		if entries, err := s.ReadFeed(within(t), kept, 0); err != nil || len(entries) > 1 {
			t.Fatalf("after an entry that is not: %v, %v", entries, err)
		}
		appended(t, other, void("from a store that did not see the lost entry")) // now the end is after it
	}
	if again := appended(t, s, void("lost")); !again.After(lost) {
		t.Fatalf("written back at %v, was at %v", again, lost)
	}
	top.Heal(t)
}

// slotMoves: writes that wait for replicas, and the feed, follow a slot that is
// moving.
func slotMoves(t *testing.T, c *redistest.Cluster, o redisstore.Options) {
	o.KeyPrefix, o.Acks.Critical, o.Acks.Tokens = "{moves}", 1, 1 // all in one slot
	s := open(t, "", func(p *redisstore.Options) { *p = o })
	now := time.Now().UTC().Truncate(time.Second)
	slot := c.Slot(t, o.KeyPrefix)
	last := appended(t, s, void("0"))
	if _, err := s.FeedLineage(within(t)); err != nil {
		t.Fatal(err)
	}
	client := store.Client{ID: "c"}
	if err := s.Clients().Create(within(t), client); err != nil {
		t.Fatal(err)
	}
	client.Version = 1
	n := byte(0)
	use := func() {
		n++
		token := store.Token{Use: store.UseClient, ClientID: "c", IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
		if err := s.PutToken(within(t), store.Digest{n}, token); err != nil {
			t.Errorf("put token %d: %v", n, err)
		}
		if _, err := s.GetToken(within(t), store.Digest{n}); err != nil {
			t.Errorf("get token %d: %v", n, err)
		}
		if err := s.Clients().Update(within(t), client); err != nil {
			t.Errorf("update %d: %v", n, err)
		}
		client.Version++
		p, err := s.AppendFeed(within(t), void("x"))
		if err != nil {
			t.Errorf("append %d: %v", n, err)
		}
		entries, err := s.ReadFeed(within(t), last, 0)
		if errors.Is(err, store.ErrFeedLost) { // it has moved: check the lineage, then read on
			if _, err := s.FeedLineage(within(t)); err != nil {
				t.Errorf("lineage %d: %v", n, err)
			}
			entries, err = s.ReadFeed(within(t), last, 0)
		}
		if err != nil || len(entries) != 1 || entries[0].Position != p {
			t.Errorf("read %d: %v, %v", n, entries, err)
		}
		last = p
	}
	for range 2 { // there and back
		from := c.Master(slot)
		to := c.Masters()[0]
		if to == from {
			to = c.Masters()[1]
		}
		c.Migrate(t, slot, to, use)
		use()
	}
	if n < 10 {
		t.Errorf("only %d steps", n)
	}
}

// deletedAndCreated: a deletion checks whether the client was created again. It
// uses a command (EXISTS) that a ClusterClient could also send to many nodes.
func deletedAndCreated(t *testing.T, o redisstore.Options) {
	o.KeyPrefix = "again:"
	s, other := open(t, "", func(p *redisstore.Options) { *p = o }), open(t, "", func(p *redisstore.Options) { *p = o })
	if err := s.Clients().Create(within(t), store.Client{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := s.HookMasters(within(t), before{"zrem", func() {
		if err := other.Clients().Create(within(t), store.Client{ID: "a"}); err != nil {
			t.Error(err)
		}
	}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Clients().Delete(within(t), "a", 1); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Clients().List(within(t), store.Page{Limit: 10}); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
}

// before calls a function before each command with the name, and before each pipeline
// that has one.
type before struct {
	name string
	call func()
}

func (before) DialHook(next redis.DialHook) redis.DialHook { return next }

func (b before) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return cmd.Name() == b.name }) {
			b.call()
		}
		return next(ctx, cmds)
	}
}

func (b before) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == b.name {
			b.call()
		}
		return next(ctx, cmd)
	}
}

func TestSentinelWithoutReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs Redis Sentinel")
	}
	t.Parallel()
	_, sentinel := startSentinel(t)
	s := open(t, sentinel.Addr, func(o *redisstore.Options) { o.Mode, o.MasterName = redisstore.ModeSentinel, "main" })
	last := appended(t, s, void("a"))
	if entries, err := s.ReadFeed(within(t), store.Position{}, 0); err != nil || len(entries) != 1 || entries[0].Position != last {
		t.Fatalf("%v, %v", entries, err)
	}
	refuses(t, redisstore.Options{Mode: redisstore.ModeSentinel, Addresses: []string{sentinel.Addr}, MasterName: "other"}, store.ErrUnavailable)
}

// TestSentinelWithoutMasterIsUnavailable: a sentinel that forgot the master
// replies nil. That does not mean that a token is gone.
func TestSentinelWithoutMasterIsUnavailable(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs Redis Sentinel")
	}
	t.Parallel()
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

// TestRedirectsReadTheMapOnce: commands on a moving slot are all redirected, but
// they do not each ask every node for the map.
func TestRedirectsReadTheMapOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs a Redis Cluster")
	}
	t.Parallel()
	c := redistest.StartCluster(t)
	o := patient(redisstore.Options{Mode: redisstore.ModeCluster, Addresses: c.Addrs(), KeyPrefix: "{moves}"})
	s := open(t, "", func(p *redisstore.Options) { *p = o })
	slot := c.Slot(t, o.KeyPrefix)
	to := c.Masters()[0]
	if to == c.Master(slot) {
		to = c.Masters()[1]
	}
	const commands, most = 300, 30
	burst := func(what string) {
		before := mapReads(t, c)
		var all sync.WaitGroup
		for i := range commands {
			all.Go(func() {
				if _, err := s.GetToken(t.Context(), named(i)); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		all.Wait()
		if n := mapReads(t, c) - before; n > most {
			t.Errorf("%s: %d commands read the map %d times, want %d at most", what, commands, n, most)
		}
	}
	asked := false
	c.Migrate(t, slot, to, func() {
		if !asked {
			burst("ASK")
		}
		asked = true
	})
	burst("MOVED")
}

// mapReads returns how often the nodes were asked for the map.
func mapReads(t *testing.T, c *redistest.Cluster) (n int) {
	t.Helper()
	for _, node := range c.Nodes {
		for _, line := range node.Must(t, "info", "commandstats") {
			for _, stat := range strings.Split(line, "\n") {
				if rest, ok := strings.CutPrefix(stat, "cmdstat_cluster|slots:calls="); ok {
					calls, err := strconv.Atoi(rest[:strings.IndexByte(rest, ',')])
					if err != nil {
						t.Fatal(err)
					}
					n += calls
				}
			}
		}
	}
	return n
}
