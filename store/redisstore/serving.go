package redisstore

import (
	"context"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// servingTime is how long a store counts as served after the last sign of it. A
// process that serves gives one with every look at the masters.
const servingTime = 4 * watchEvery

// sign sets a key that expires, also on a Redis that is full.
var sign = wire.NewEnding(`return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])`)

// beat says that this process serves requests, if it does. If it fails, the next one
// may succeed.
func (s *Store) beat(ctx context.Context) {
	if !s.serves {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	_ = s.redis.Run(ctx, sign, s.keys.serving(), servingTime.Milliseconds()).Err()
}

// Serving is one EXISTS.
func (s *Store) Serving(ctx context.Context) (bool, error) {
	var n int64
	err := wire.Retry(ctx, func() (err error) {
		n, err = s.redis.Exists(ctx, s.keys.serving()).Result()
		return err
	})
	return n > 0, wire.StoreError(ctx, "serving", err)
}

// AdvanceFeed keeps the position in this process, for the next append.
func (s *Store) AdvanceFeed(ctx context.Context, p store.Position) error {
	if err := ctx.Err(); err != nil {
		return wire.StoreError(ctx, "advance feed", err)
	}
	s.seen(p)
	return s.Ping(ctx)
}
