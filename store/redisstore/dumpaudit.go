package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// dumpAudit reads both streams after the id that is the cursor.
func (s *Store) dumpAudit(ctx context.Context, cursor string, limit int) (items []store.Item, next string, err error) {
	from := "-"
	if cursor != "" {
		from = "(" + cursor
	}
	changes, err := s.auditItems(ctx, s.keys.audit(), store.SectionAudit, from, limit)
	if err != nil {
		return nil, "", err
	}
	traffic, err := s.auditItems(ctx, s.keys.auditTraffic(), store.SectionAuditTraffic, from, limit)
	if err != nil {
		return nil, "", err
	}
	wholeChanges, wholeTraffic := len(changes) < limit, len(traffic) < limit
	position := func(i store.Item) store.Position {
		p, _ := store.ParsePosition(i.Key) // Redis made it
		return p
	}
	merged := store.MergeAuditItems(changes, traffic, wholeChanges, wholeTraffic, limit, position)
	// An event of each stream may have the same id: both are in one page.
	if n := len(merged); n > 1 && merged[n-1].Section == store.SectionAudit && n < len(changes)+len(traffic) {
		merged = merged[:n-1]
	}
	if len(merged) == 0 || wholeChanges && wholeTraffic && len(merged) == len(changes)+len(traffic) {
		return merged, "", nil
	}
	return merged, merged[len(merged)-1].Key, nil
}

func (s *Store) auditItems(ctx context.Context, stream string, section store.Section, from string, limit int) ([]store.Item, error) {
	var messages []redis.XMessage
	err := wire.Retry(ctx, func() (err error) {
		messages, err = s.redis.XRangeN(ctx, stream, from, "+", int64(limit)).Result()
		return err
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "dump audit", err)
	}
	items := make([]store.Item, len(messages))
	for i, m := range messages {
		items[i] = store.Item{Section: section, Key: m.ID, Form: []byte(entryValue(m))}
	}
	return items, nil
}
