package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// AddHits adds to each counter and reads its remaining life, all at once. Only
// a counter that has no end yet costs a second round trip. If its writer dies
// before that, the next hit sets the end. A script would do both at once, but
// cost Redis several times as much for each hit.
func (s *Store) AddHits(ctx context.Context, hits ...store.Hit) ([]store.Count, error) {
	pairs := make([]wire.Pair, len(hits))
	for i, h := range hits {
		pairs[i] = countPair(ctx, s.keys.limit(h.Key), h.N)
	}
	counts := make([]store.Count, len(hits))
	for i, err := range s.redis.SendPairs(ctx, pairs) {
		left := time.Duration(0)
		if h := hits[i]; h.N == 0 && wire.IsNil(err) {
			err = nil // reading creates no key
		} else if err == nil {
			left, err = s.left(ctx, pairs[i], h.Window)
		}
		if err != nil {
			return nil, wire.StoreError(ctx, "add hits", err)
		}
		if counts[i].N, err = counted(pairs[i].Cmd); err != nil {
			return nil, err
		}
		counts[i].Left = left
	}
	return counts, nil
}

// ResetHits deletes the counters in one pipeline.
func (s *Store) ResetHits(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	pipe := s.redis.Pipeline()
	for _, key := range keys {
		pipe.Del(ctx, s.keys.limit(key))
	}
	_, err := pipe.Exec(ctx)
	return wire.StoreError(ctx, "reset hits", err)
}

// countPair returns the commands for one counter.
func countPair(ctx context.Context, key string, n int64) wire.Pair {
	p := wire.Pair{Key: key, Then: redis.NewIntCmd(ctx, "pttl", key)}
	if n == 0 {
		p.Cmd = redis.NewStringCmd(ctx, "get", key)
	} else {
		p.Cmd = redis.NewIntCmd(ctx, "incrby", key, n)
	}
	return p
}

// counted returns the count from the reply.
func counted(cmd redis.Cmder) (int64, error) {
	switch cmd := cmd.(type) {
	case *redis.IntCmd:
		return cmd.Val(), nil
	case *redis.StringCmd:
		if cmd.Val() == "" {
			return 0, nil
		}
		n, err := cmd.Int64()
		if err != nil {
			return 0, fmt.Errorf("redis: add hits: %w", err)
		}
		return n, nil
	}
	return 0, fmt.Errorf("redis: add hits: unexpected command %q", cmd.Name())
}

// left returns the remaining life of the counter. It sets the end of a counter
// that has none.
func (s *Store) left(ctx context.Context, p wire.Pair, window time.Duration) (time.Duration, error) {
	const noEnd = -1
	switch left := p.Then.(*redis.IntCmd).Val(); {
	case left == noEnd:
		return window, s.redis.Send(ctx, p.Key, redis.NewBoolCmd(ctx, "pexpire", p.Key, window.Milliseconds()))
	case left < 0: // it ended in between
		return 0, nil
	default:
		return time.Duration(left) * time.Millisecond, nil
	}
}
