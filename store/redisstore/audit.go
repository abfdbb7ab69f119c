package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// AppendAudit appends the events in one atomic step. Redis drops whole blocks of
// events that are older than the retention.
func (s *Store) AppendAudit(ctx context.Context, events ...store.AuditEvent) error {
	if len(events) == 0 {
		return nil
	}
	values := make([][]byte, len(events))
	for i, e := range events {
		e.ID = "" // the stream sets it
		var err error
		if values[i], err = store.MarshalAudit(e); err != nil {
			return fmt.Errorf("append audit: %w", err)
		}
	}
	_, err := s.appendTo(ctx, stream{key: s.keys.audit(), keep: s.auditRetention, append: appendStream, run: s.redis.Run}, values)
	return wire.StoreError(ctx, "append audit", err)
}

// ListAudit reads the stream backward. It starts with the event before, and
// leaves that out. If that event is gone, all older ones are gone too.
func (s *Store) ListAudit(ctx context.Context, before string, limit int) ([]store.AuditEvent, error) {
	if limit <= 0 {
		return nil, nil
	}
	from, count := "+", int64(limit)
	if before != "" {
		if p, err := store.ParsePosition(before); err != nil || p.String() != before {
			return nil, nil
		}
		from, count = before, count+1
	}
	var messages []redis.XMessage
	err := wire.Retry(ctx, func() (err error) {
		messages, err = s.redis.XRevRangeN(ctx, s.keys.audit(), from, "-", count).Result()
		return err
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "list audit", err)
	}
	if before != "" {
		if len(messages) == 0 || messages[0].ID != before {
			return nil, nil
		}
		messages = messages[1:]
	}
	events := make([]store.AuditEvent, len(messages))
	for i, m := range messages {
		if events[i], err = store.UnmarshalAudit([]byte(entryValue(m))); err != nil {
			return nil, fmt.Errorf("list audit: %s: %w", m.ID, err)
		}
		events[i].ID = m.ID
	}
	return events, nil
}
