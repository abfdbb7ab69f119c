package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Age makes stream entries look older by d. Redis' clock measures their age,
// and no test can move it.
func (s *Store) Age(d time.Duration) {
	s.feedRetention -= d
	s.auditRetention -= d
}

// HookMasters puts the hook between the Cluster client and each master.
func (s *Store) HookMasters(ctx context.Context, h redis.Hook) error {
	return s.redis.EachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		node.AddHook(h)
		return nil
	})
}

// CompareClock compares the clocks now, as the store does each minute. The store no
// longer watches its masters then.
func (s *Store) CompareClock(ctx context.Context) {
	s.stopWatch()
	s.clocks.compared = time.Time{}
	s.compareClock(ctx)
}
