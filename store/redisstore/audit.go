package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// appendAuditSource appends values to a stream of the audit and drops old
// events, in one atomic step. Redis drops whole blocks of them.
//
// ARGV: retention in ms, the greatest number of events, the time of the caller
// in ms, values.
//
// It adds first: a Redis that is full refuses a script only at its first write,
// and only if that needs memory. It searches for old events only if the oldest one
// is old.
//
// An event is old if it is so by the clock of Redis, which also makes the ids, and
// by that of the caller: neither a replica of grantd nor a Redis with a clock that
// is ahead can drop events.
const appendAuditSource = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 4, #ARGV do redis.call('XADD', KEYS[1], '*', 'e', ARGV[i]) end
local cutoff = math.min(now, tonumber(ARGV[3])) - tonumber(ARGV[1])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if tonumber(string.match(first[1], '%d+')) <= cutoff then
  local old = redis.call('XREVRANGE', KEYS[1], string.format('%.0f', cutoff), '-', 'COUNT', 1)[1]
  redis.call('XTRIM', KEYS[1], 'MINID', '~', old[1])
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[2])
return 1`

// appendChanges is for what operators change, which includes what ends something: it
// works on a full Redis, and so must its trace. appendTraffic is for the rest.
var (
	appendChanges = wire.NewEnding(appendAuditSource)
	appendTraffic = wire.NewScript(appendAuditSource)
)

// AppendAudit appends the events in one atomic step for each stream. Redis drops
// whole blocks of events that are older than the retention or too many.
func (s *Store) AppendAudit(ctx context.Context, events ...store.AuditEvent) error {
	changes, traffic := store.SplitAudit(events)
	if err := s.appendAudit(ctx, appendChanges, s.keys.audit(), changes); err != nil {
		return err
	}
	return s.appendAudit(ctx, appendTraffic, s.keys.auditTraffic(), traffic)
}

func (s *Store) appendAudit(ctx context.Context, sc wire.Script, stream string, events []store.AuditEvent) error {
	if len(events) == 0 {
		return nil
	}
	args := append(make([]any, 0, 3+len(events)), s.auditRetention.Milliseconds(), s.auditMaxEvents, s.clock.Now().UnixMilli())
	for _, e := range events {
		e.ID = "" // the stream sets it
		value, err := store.MarshalAudit(e)
		if err != nil {
			return fmt.Errorf("append audit: %w", err)
		}
		args = append(args, value)
	}
	return wire.StoreError(ctx, "append audit", s.redis.Run(ctx, sc, stream, args...).Err())
}

// ListAudit reads both streams backward, from the place that the event before
// has in each, and merges them.
func (s *Store) ListAudit(ctx context.Context, before string, limit int) ([]store.AuditEvent, error) {
	if limit <= 0 {
		return nil, nil
	}
	ofChanges, ofTraffic := "+", "+"
	if before != "" {
		position, fromTraffic := store.CutAuditID(before)
		if p, err := store.ParsePosition(position); err != nil || p.String() != position {
			return nil, nil
		}
		ofChanges, ofTraffic = "("+position, "("+position
		if fromTraffic {
			ofChanges = position // at the same position, the change is the older one
		}
	}
	changes, err := s.listAudit(ctx, s.keys.audit(), ofChanges, limit, false)
	if err != nil {
		return nil, err
	}
	traffic, err := s.listAudit(ctx, s.keys.auditTraffic(), ofTraffic, limit, true)
	if err != nil {
		return nil, err
	}
	return store.MergeAudit(changes, traffic, limit, func(e store.AuditEvent) store.Position {
		position, _ := store.CutAuditID(e.ID)
		p, _ := store.ParsePosition(position)
		return p
	}), nil
}

func (s *Store) listAudit(ctx context.Context, stream, from string, limit int, traffic bool) ([]store.AuditEvent, error) {
	var messages []redis.XMessage
	err := wire.Retry(ctx, func() (err error) {
		messages, err = s.redis.XRevRangeN(ctx, stream, from, "-", int64(limit)).Result()
		return err
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "list audit", err)
	}
	events := make([]store.AuditEvent, len(messages))
	for i, m := range messages {
		if events[i], err = store.UnmarshalAudit([]byte(entryValue(m))); err != nil {
			return nil, fmt.Errorf("list audit: %s: %w", m.ID, err)
		}
		events[i].ID, events[i].Traffic = store.AuditID(m.ID, traffic), traffic
	}
	return events, nil
}
