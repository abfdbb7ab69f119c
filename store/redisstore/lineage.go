package redisstore

import (
	"context"
	"fmt"

	"github.com/grantd/grantd/store"
)

// FeedLineage names an incarnation by the run id of the master that holds
// the feed: Redis makes a new one at every start.
func (s *Store) FeedLineage(ctx context.Context) (store.Lineage, error) {
	node, err := s.node(ctx, s.keys.feed())
	if err != nil {
		return store.Lineage{}, failed(ctx, "feed lineage", err)
	}
	info, err := nodeInfo(ctx, node)
	if err != nil {
		return store.Lineage{}, err
	}
	if info["role"] != "master" || info["run_id"] == "" {
		return store.Lineage{}, fmt.Errorf("redis: feed lineage: %w: not from a master but a %q", store.ErrUnavailable, info["role"])
	}
	var witnessed string
	err = retry(ctx, func() (err error) {
		witnessed, err = s.client.Get(ctx, s.keys.lineage()).Result()
		return err
	})
	if err != nil && !isNil(err) {
		return store.Lineage{}, failed(ctx, "feed lineage", err)
	}
	return store.Lineage{Current: info["run_id"], Witnessed: witnessed}, nil
}

// WitnessFeed is one SET.
func (s *Store) WitnessFeed(ctx context.Context, lineage string) error {
	return failed(ctx, "witness feed", s.client.Set(ctx, s.keys.lineage(), lineage, 0).Err())
}
