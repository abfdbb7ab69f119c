package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// appendStream appends values to a stream and drops old entries, in one
// atomic step.
//
// ARGV: retention in ms, floor (ms, sequence), the id after the floor, values.
//
// The clock is Redis', which also makes the ids: no replica of grantd with a
// wrong clock can drop entries. Dropping stops before the newest entry that is
// older than the retention. So an entry is dropped only when its successor is
// older than the retention: a reader at the newest entry, on a quiet day, does
// not lose its position to the next entry.
//
// The floor is the newest position that this process has seen. A Redis that
// lost its data and whose clock is behind continues after it.
var appendStream = wire.NewScript(`
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
for i = 5, #ARGV do
  id = redis.call('XADD', KEYS[1], i == 5 and id or '*', 'e', ARGV[i])
end
local old = redis.call('XREVRANGE', KEYS[1], string.format('%.0f', now - tonumber(ARGV[1])), '-', 'COUNT', 1)[1]
if old then redis.call('XTRIM', KEYS[1], 'MINID', '~', old[1]) end
return id`)

// runner is Run of the client, or runCritical.
type runner func(ctx context.Context, sc wire.Script, key string, args ...any) *redis.Cmd

// appendTo appends the values to the stream and returns the id of the last one.
func appendTo(ctx context.Context, run runner, stream string, keep time.Duration, floor store.Position, values [][]byte) (string, error) {
	next := store.Position{Time: floor.Time, Seq: floor.Seq + 1}
	args := append(make([]any, 0, 4+len(values)), keep.Milliseconds(), floor.Time, floor.Seq, next.String())
	for _, v := range values {
		args = append(args, v)
	}
	return run(ctx, appendStream, stream, args...).Text()
}

// entryValue returns what appendTo stored. For an entry of another form it
// returns nothing, which no decoder accepts.
func entryValue(m redis.XMessage) string {
	v, _ := m.Values[fieldEntry].(string)
	return v
}
