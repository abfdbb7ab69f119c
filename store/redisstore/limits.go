package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
)

// AddHits adds to each counter and asks what is left of its life, all at
// once. Only a counter that has no end yet costs a second round trip; one
// whose writer died before that is given its end by the next hit. A script
// would do both at once, and cost Redis several times as much each time.
func (s *Store) AddHits(ctx context.Context, hits ...store.Hit) ([]store.Count, error) {
	pairs := make([]pair, len(hits))
	for i, h := range hits {
		pairs[i] = countPair(ctx, s.keys.limit(h.Key), h.N)
	}
	counts := make([]store.Count, len(hits))
	for i, err := range s.doPairs(ctx, pairs) {
		left := time.Duration(0)
		if h := hits[i]; h.N == 0 && isNil(err) {
			err = nil // asking makes no key
		} else if err == nil {
			left, err = s.left(ctx, pairs[i], h.Window)
		}
		if err != nil {
			return nil, failed(ctx, "add hits", err)
		}
		if counts[i].N, err = counted(pairs[i].cmd); err != nil {
			return nil, err
		}
		counts[i].Left = left
	}
	return counts, nil
}

// countPair is what is sent for one counter.
func countPair(ctx context.Context, key string, n int64) pair {
	p := pair{key: key, then: redis.NewIntCmd(ctx, "pttl", key)}
	if n == 0 {
		p.cmd = redis.NewStringCmd(ctx, "get", key)
	} else {
		p.cmd = redis.NewIntCmd(ctx, "incrby", key, n)
	}
	return p
}

// counted answers what the counter's own command said.
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

// left answers what is left of the counter's life, and begins it if it has
// not begun.
func (s *Store) left(ctx context.Context, p pair, window time.Duration) (time.Duration, error) {
	const noEnd = -1
	switch left := p.then.(*redis.IntCmd).Val(); {
	case left == noEnd:
		return window, s.do(ctx, p.key, redis.NewBoolCmd(ctx, "pexpire", p.key, window.Milliseconds()))
	case left < 0: // it has ended in between
		return 0, nil
	default:
		return time.Duration(left) * time.Millisecond, nil
	}
}
