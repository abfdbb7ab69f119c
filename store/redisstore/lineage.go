package redisstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// FeedLineage names an incarnation by the run id of the master that holds the
// feed: Redis makes a new run id at every start. On a Cluster, the run ids of all
// masters belong to it: one that holds records may have lost some of them.
func (s *Store) FeedLineage(ctx context.Context) (store.Lineage, error) {
	var info incarnation
	err := s.redis.OnMaster(ctx, s.keys.feed(), func(node *redis.Client, asking bool) error {
		pipe := node.Pipeline()
		here := wire.Ask(ctx, pipe, asking).Exists(ctx, s.keys.feed()) // so that it is redirected
		info.ask(ctx, pipe)
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		return cmp.Or(here.Err(), info.err())
	})
	if err != nil {
		return store.Lineage{}, wire.StoreError(ctx, "feed lineage", err)
	}
	run, err := info.run("feed lineage")
	if err != nil {
		return store.Lineage{}, err
	}
	masters, digest, err := s.readMasters(ctx)
	if err != nil {
		return store.Lineage{}, wire.StoreError(ctx, "feed lineage", err)
	}
	l, err := s.readWitnessed(ctx, run, digest)
	if err != nil {
		return store.Lineage{}, wire.StoreError(ctx, "feed lineage", err)
	}
	s.mu.Lock()
	s.feedRun, s.masterRuns = run, masters
	s.mu.Unlock()
	return l, nil
}

// lineageSeparator is between the two parts of a lineage on a Cluster.
const lineageSeparator = "+"

// readWitnessed returns the lineage of the feed's master with the run id and of
// the masters with the digest. A grantd that did not look at all masters has
// witnessed the first part only.
func (s *Store) readWitnessed(ctx context.Context, run, digest string) (l store.Lineage, err error) {
	if l.Witnessed, err = s.getText(ctx, s.keys.lineage()); err != nil {
		return l, err
	}
	if l.Current = run; digest == "" {
		return l, nil
	}
	l.Current += lineageSeparator + digest
	if l.Witnessed != run {
		return l, nil
	}
	witnessed, err := s.getText(ctx, s.keys.masters())
	l.Witnessed += lineageSeparator + cmp.Or(witnessed, digest)
	return l, err
}

// getText returns the value of a key, or "".
func (s *Store) getText(ctx context.Context, key string) (value string, err error) {
	err = wire.Retry(ctx, func() (err error) {
		value, err = s.redis.Get(ctx, key).Result()
		return err
	})
	if wire.IsNil(err) {
		return "", nil
	}
	return value, err
}

// readMasters returns the run ids of the masters of a Cluster, with a digest of
// them; none without a Cluster.
func (s *Store) readMasters(ctx context.Context) (runs map[string]bool, digest string, err error) {
	if !s.redis.IsCluster() {
		return nil, "", nil
	}
	var mu sync.Mutex
	runs = map[string]bool{}
	err = s.redis.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		text, err := node.Info(ctx, "server").Result()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		runs[parseInfo(text)["run_id"]] = true
		return nil
	})
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(maps.Keys(runs)), " ")))
	return runs, hex.EncodeToString(sum[:8]), err
}

// sawMasters records which masters replied. If one of them was not there when
// FeedLineage was last called, the next ReadFeed returns store.ErrFeedLost.
func (s *Store) sawMasters(runs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, run := range runs {
		if s.masterRuns != nil && !s.masterRuns[run] {
			s.feedRun = anotherMaster
		}
	}
}

// anotherMaster is the run id of no Redis.
const anotherMaster = "another"

// setValue is SET, also on a Redis that is full.
var setValue = wire.NewEnding(`return redis.call('SET', KEYS[1], ARGV[1])`)

// WitnessFeed is one SET, or two on a Cluster.
func (s *Store) WitnessFeed(ctx context.Context, lineage string) error {
	lineage, digest, cluster := strings.Cut(lineage, lineageSeparator)
	if cluster {
		if err := s.redis.Run(ctx, setValue, s.keys.masters(), digest).Err(); err != nil {
			return wire.StoreError(ctx, "witness feed", err)
		}
	}
	return wire.StoreError(ctx, "witness feed", s.redis.Run(ctx, setValue, s.keys.lineage(), lineage).Err())
}

// isIncarnation reports whether run is what FeedLineage last returned. It is
// true if FeedLineage was never called.
func (s *Store) isIncarnation(run string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.feedRun == "" || s.feedRun == run
}

// incarnation reads, at the end of a pipeline, which Redis replied to it.
type incarnation struct{ server, replication *redis.StringCmd }

func (i *incarnation) ask(ctx context.Context, pipe redis.Pipeliner) {
	i.server, i.replication = pipe.Info(ctx, "server"), pipe.Info(ctx, "replication")
}

func (i *incarnation) err() error { return cmp.Or(i.server.Err(), i.replication.Err()) }

// run returns the run id of a master. Errors: store.ErrUnavailable.
func (i *incarnation) run(op string) (string, error) {
	role, run := parseInfo(i.replication.Val())["role"], parseInfo(i.server.Val())["run_id"]
	if role != "master" || run == "" {
		return "", fmt.Errorf("redis: %s: %w: the reply came from a %q, not from a master", op, store.ErrUnavailable, role)
	}
	return run, nil
}
