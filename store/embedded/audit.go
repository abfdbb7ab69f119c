package embedded

import (
	"context"
	"strconv"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// AppendAudit appends events in one step. It drops the events that are older
// than Options.AuditRetention, except the latest of them.
func (s *Store) AppendAudit(ctx context.Context, events ...store.AuditEvent) error {
	records := make([][]byte, len(events))
	for i, e := range events {
		e.ID = "" // it is the key
		var err error
		if records[i], err = store.MarshalAudit(e); err != nil {
			return err
		}
	}
	return s.write(ctx, "append to the audit", func(b *batch) error {
		if _, err := appendLog(audit(b.tx), b.now, records); err != nil {
			return err
		}
		if s.auditRetention <= 0 {
			return nil
		}
		return trimLog(audit(b.tx), b.now.Add(-s.auditRetention))
	})
}

// ListAudit returns up to limit events before the one with the given id,
// newest first. Errors: store.ErrUnknownRecord.
func (s *Store) ListAudit(ctx context.Context, before string, limit int) ([]store.AuditEvent, error) {
	var list []store.AuditEvent
	err := s.view(ctx, "list the audit", func(tx *bbolt.Tx) error {
		c := audit(tx).Cursor()
		k, v := c.Last()
		if before != "" {
			n, err := strconv.ParseUint(before, 10, 64)
			if err != nil || auditID(n) != before {
				return nil
			}
			if k, _ = c.Seek(number(n)); k == nil || numberOf(k) != n {
				return nil
			}
			k, v = c.Prev()
		}
		for ; k != nil && len(list) < limit; k, v = c.Prev() {
			e, err := store.UnmarshalAudit(logRecord(v))
			if err != nil {
				return refuse(err)
			}
			e.ID = auditID(numberOf(k))
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func auditID(n uint64) string { return strconv.FormatUint(n, 10) }
