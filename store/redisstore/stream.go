package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// appendFeed appends values to the feed and drops old entries, in one atomic step,
// also on a Redis that is full.
//
// ARGV: retention in ms, floor (ms, sequence), the id after the floor, the time of
// the caller in ms, values.
//
// An entry is old if it is so by the clock of Redis, which also makes the ids, and
// by that of the caller: neither a replica of grantd nor a Redis with a clock that
// is ahead can drop entries. Dropping stops before the newest entry that is
// older than the retention. So an entry is dropped only when its successor is
// older than the retention: a reader at the newest entry, on a quiet day, does
// not lose its position to the next entry.
//
// The floor is the newest position that this process has seen. A Redis that
// lost its data and whose clock is behind continues after it.
var appendFeed = wire.NewEnding(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local floor_ms, floor_seq = tonumber(ARGV[2]), tonumber(ARGV[3])
local id = '*'
if now <= floor_ms then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  local ms, seq = string.match(newest and newest[1] or '0-0', '(%d+)-(%d+)')
  ms, seq = tonumber(ms), tonumber(seq)
  if ms < floor_ms or (ms == floor_ms and seq < floor_seq) then id = ARGV[4] end
end
for i = 6, #ARGV do
  id = redis.call('XADD', KEYS[1], i == 6 and id or '*', 'e', ARGV[i])
end
local cutoff = math.min(now, tonumber(ARGV[5])) - tonumber(ARGV[1])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if tonumber(string.match(first[1], '%d+')) <= cutoff then
  local old = redis.call('XREVRANGE', KEYS[1], string.format('%.0f', cutoff), '-', 'COUNT', 1)[1]
  redis.call('XTRIM', KEYS[1], 'MINID', '~', old[1])
end
return id`)

// appendTo appends the values to the feed and returns the id of the last one.
func (s *Store) appendTo(ctx context.Context, floor store.Position, values [][]byte) (string, error) {
	next := store.Position{Time: floor.Time, Seq: floor.Seq + 1}
	args := append(make([]any, 0, 5+len(values)), s.feedRetention.Milliseconds(), floor.Time, floor.Seq, next.String(), s.clock.Now().UnixMilli())
	for _, v := range values {
		args = append(args, v)
	}
	return s.runChange(ctx, s.acks.Critical, appendFeed, s.keys.feed(), args...).Text()
}

// entryValue returns what appendFeed or the audit stored. For an entry of another form it
// returns nothing, which no decoder accepts.
func entryValue(m redis.XMessage) string {
	v, _ := m.Values[fieldEntry].(string)
	return v
}
