package redisstore

import (
	"cmp"
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// FeedLineage names an incarnation by the run id of the master that holds the
// feed: Redis makes a new run id at every start.
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
	var witnessed string
	err = wire.Retry(ctx, func() (err error) {
		witnessed, err = s.redis.Get(ctx, s.keys.lineage()).Result()
		return err
	})
	if err != nil && !wire.IsNil(err) {
		return store.Lineage{}, wire.StoreError(ctx, "feed lineage", err)
	}
	s.mu.Lock()
	s.feedRun = run
	s.mu.Unlock()
	return store.Lineage{Current: run, Witnessed: witnessed}, nil
}

// setValue is SET, also on a Redis that is full.
var setValue = wire.NewEnding(`return redis.call('SET', KEYS[1], ARGV[1])`)

// WitnessFeed is one SET.
func (s *Store) WitnessFeed(ctx context.Context, lineage string) error {
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
		return "", fmt.Errorf("redis: %s: %w: %w", op, store.ErrUnavailable, err)
	}
	return state.Run, nil
}
