package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
)

// addHit adds ARGV[1] to a counter that lives ARGV[2] milliseconds, and
// answers its value and what is left of its life. Asking makes no key.
var addHit = newScript(`
if ARGV[1] == '0' then
  return {tonumber(redis.call('GET', KEYS[1]) or '0'), math.max(redis.call('PTTL', KEYS[1]), 0)}
end
local n = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {n, left}`)

// AddHits runs one script for each counter, all at once.
func (s *Store) AddHits(ctx context.Context, hits ...store.Hit) ([]store.Count, error) {
	keys := make([]string, len(hits))
	cmds := make([]redis.Cmder, len(hits))
	for i, h := range hits {
		keys[i] = s.keys.limit(h.Key)
		cmds[i] = addHit.call(ctx, "evalsha", addHit.hash, keys[i], hitArgs(h))
	}
	counts := make([]store.Count, len(hits))
	for i, err := range s.doAll(ctx, keys, cmds) {
		if hasCode(err, "NOSCRIPT") {
			cmds[i] = addHit.call(ctx, "eval", addHit.source, keys[i], hitArgs(hits[i]))
			err = s.do(ctx, keys[i], cmds[i])
		}
		if err != nil {
			return nil, failed(ctx, "add hits", err)
		}
		cmd := cmds[i].(once)
		v, err := cmd.Int64Slice()
		if err != nil || len(v) != 2 {
			return nil, fmt.Errorf("redis: add hits: script answered %v", cmd.Val())
		}
		counts[i] = store.Count{N: v[0], Left: time.Duration(v[1]) * time.Millisecond}
	}
	return counts, nil
}

func hitArgs(h store.Hit) []any { return []any{h.N, h.Window.Milliseconds()} }
