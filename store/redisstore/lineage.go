package redisstore

import (
	"cmp"
	"context"
	"errors"
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
	var info wire.ReplicationReply
	err := s.redis.OnMaster(ctx, s.keys.feed(), func(node *redis.Client, asking bool) error {
		pipe := node.Pipeline()
		here := wire.Ask(ctx, pipe, asking).Exists(ctx, s.keys.feed()) // so that it is redirected
		info = wire.AskReplication(ctx, pipe)
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		return cmp.Or(here.Err(), info.Err())
	})
	if err != nil {
		return store.Lineage{}, wire.StoreError(ctx, "feed lineage", err)
	}
	run, err := masterRun(info, "feed lineage")
	if err != nil {
		return store.Lineage{}, err
	}
	masters, err := s.readMasters(ctx)
	if err != nil {
		return store.Lineage{}, wire.StoreError(ctx, "feed lineage", err)
	}
	l, err := s.readWitnessed(ctx, run, masters)
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

// readWitnessed returns the lineage of the feed's master with the run id, and of
// all masters of a Cluster. A grantd that did not look at all of them has witnessed
// the first part only. A master that is gone makes no other incarnation: its slots
// have moved, or belong to a master with another run id.
func (s *Store) readWitnessed(ctx context.Context, run string, masters map[string]bool) (l store.Lineage, err error) {
	if l.Witnessed, err = s.getText(ctx, s.keys.lineage()); err != nil {
		return l, err
	}
	if l.Current = run; masters == nil {
		return l, nil
	}
	runs := slices.Sorted(maps.Keys(masters))
	l.Current += lineageSeparator + strings.Join(runs, " ")
	if l.Witnessed != run {
		return l, nil
	}
	text, err := s.getText(ctx, s.keys.masters())
	witnessed := strings.Fields(text)
	if text == "" || !slices.ContainsFunc(runs, func(run string) bool { return !slices.Contains(witnessed, run) }) {
		l.Witnessed = l.Current
	}
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

// readMasters returns the run ids of the masters of a Cluster; nil without one.
func (s *Store) readMasters(ctx context.Context) (runs map[string]bool, err error) {
	if !s.redis.IsCluster() {
		return nil, nil
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
		runs[wire.ParseInfo(text)["run_id"]] = true
		return nil
	})
	return runs, err
}

// sawMasters records which masters replied. If one of them was not there when
// FeedLineage was last called, the next ReadFeed returns store.ErrFeedLost.
func (s *Store) sawMasters(masters []wire.Replication) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range masters {
		if s.masterRuns != nil && !s.masterRuns[masters[i].Run] {
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
	lineage, masters, cluster := strings.Cut(lineage, lineageSeparator)
	if cluster {
		if err := s.redis.Run(ctx, setValue, s.keys.masters(), masters).Err(); err != nil {
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

// masterRun returns the run id of the master that replied.
// Errors: store.ErrUnavailable.
func masterRun(reply wire.ReplicationReply, op string) (string, error) {
	state, err := reply.Read()
	if err != nil {
		err = fmt.Errorf("redis: %s: %w: %w", op, store.ErrUnavailable, err)
		if errors.Is(err, wire.ErrNotMaster) {
			err = store.WithCause(err, store.CauseReadOnly)
		}
		return "", err
	}
	return state.Run, nil
}
