package embedded

import (
	"context"
	"strconv"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// auditStream is one of the two streams of the audit. Both take their numbers
// from one sequence, so that the order of the numbers is the order of both.
type auditStream struct {
	bucket  []byte
	other   []byte
	count   []byte // key of meta
	traffic bool
}

func auditStreams() (changes, traffic auditStream) {
	return auditStream{bucketAudit, bucketAuditTraffic, keyAuditCount, false},
		auditStream{bucketAuditTraffic, bucketAudit, keyAuditTrafficCount, true}
}

// AppendAudit appends events in one step. From each stream that it appends to,
// it drops the events that are older than Options.AuditRetention, and the oldest
// ones beyond Options.AuditMaxEvents.
func (s *Store) AppendAudit(ctx context.Context, events ...store.AuditEvent) error {
	changes, traffic := store.SplitAudit(events)
	changeRecords, err := auditRecords(changes)
	if err != nil {
		return err
	}
	trafficRecords, err := auditRecords(traffic)
	if err != nil {
		return err
	}
	ofChanges, ofTraffic := auditStreams()
	return s.write(ctx, "append to the audit", func(b *batch) error {
		if err := s.appendAudit(b, ofChanges, changeRecords); err != nil {
			return err
		}
		return s.appendAudit(b, ofTraffic, trafficRecords)
	})
}

func auditRecords(events []store.AuditEvent) ([][]byte, error) {
	records := make([][]byte, len(events))
	for i, e := range events {
		e.ID = "" // it is the key
		var err error
		if records[i], err = store.MarshalAudit(e); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func (s *Store) appendAudit(b *batch, stream auditStream, records [][]byte) error {
	if len(records) == 0 {
		return nil
	}
	bucket := b.tx.Bucket(stream.bucket)
	count := stream.countOf(b.tx)
	if err := b.joinSequences(stream); err != nil {
		return err
	}
	if _, err := appendLog(bucket, b.now, records); err != nil {
		return err
	}
	count += uint64(len(records))
	old := s.oldAudit(b, bucket, count)
	for _, k := range old {
		if err := bucket.Delete(k); err != nil {
			return err
		}
	}
	return meta(b.tx).Put(stream.count, number(count-uint64(len(old))))
}

// joinSequences makes the next number of the stream greater than those of both.
func (b *batch) joinSequences(stream auditStream) error {
	bucket := b.tx.Bucket(stream.bucket)
	if n := b.tx.Bucket(stream.other).Sequence(); n > bucket.Sequence() {
		return bucket.SetSequence(n)
	}
	return nil
}

// countOf returns how many events the stream has. A file of an older grantd has
// no count, but its events have consecutive numbers.
func (a auditStream) countOf(tx *bbolt.Tx) uint64 {
	if v := meta(tx).Get(a.count); v != nil {
		return numberOf(v)
	}
	c := tx.Bucket(a.bucket).Cursor()
	first, _ := c.First()
	if first == nil {
		return 0
	}
	last, _ := c.Last()
	return numberOf(last) - numberOf(first) + 1
}

// oldAudit returns the keys of the events to drop, at most trimAtOnce. A clock
// that jumps ahead makes no event old.
func (s *Store) oldAudit(b *batch, bucket *bbolt.Bucket, count uint64) (old [][]byte) {
	cutoff, most := uint64(0), count
	if s.auditRetention > 0 {
		cutoff = uint64(max(b.steady.Add(-s.auditRetention).UnixMilli(), 0))
	}
	if s.auditMaxEvents > 0 {
		most = uint64(s.auditMaxEvents)
	}
	c := bucket.Cursor()
	for k, v := c.First(); k != nil && len(old) < trimAtOnce; k, v = c.Next() {
		if count-uint64(len(old)) <= most && numberOf(v) >= cutoff {
			break
		}
		old = append(old, k)
	}
	return old
}

// ListAudit returns up to limit events of both streams, newest first, older than
// the one with the given id. Errors: store.ErrUnknownRecord.
func (s *Store) ListAudit(ctx context.Context, before string, limit int) ([]store.AuditEvent, error) {
	position, fromTraffic := store.CutAuditID(before)
	end := uint64(0) // none
	if before != "" {
		n, err := strconv.ParseUint(position, 10, 64)
		if err != nil || n == 0 || auditPosition(n) != position {
			return nil, nil
		}
		end = n
	}
	ofChanges, ofTraffic := auditStreams()
	var changes, traffic []store.AuditEvent
	err := s.view(ctx, "list the audit", func(tx *bbolt.Tx) (err error) {
		if changes, err = ofChanges.list(tx, end, fromTraffic, limit); err != nil {
			return err
		}
		traffic, err = ofTraffic.list(tx, end, false, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return store.MergeAudit(changes, traffic, limit, func(e store.AuditEvent) store.Position {
		position, _ := store.CutAuditID(e.ID)
		n, _ := strconv.ParseUint(position, 10, 64)
		return store.Position{Seq: n}
	}), nil
}

// list returns up to limit events of the stream with numbers below end, or up to
// it if the event with this number is included, newest first. end 0 is no bound.
func (a auditStream) list(tx *bbolt.Tx, end uint64, included bool, limit int) (list []store.AuditEvent, err error) {
	c := tx.Bucket(a.bucket).Cursor()
	k, v := c.Last()
	if end != 0 {
		if k, v = c.Seek(number(end)); k == nil {
			k, v = c.Last() // all numbers are lower
		} else if numberOf(k) > end || !included {
			k, v = c.Prev()
		}
	}
	for ; k != nil && len(list) < limit; k, v = c.Prev() {
		e, err := store.UnmarshalAudit(logRecord(v))
		if err != nil {
			return nil, refuse(err)
		}
		e.ID, e.Traffic = store.AuditID(auditPosition(numberOf(k)), a.traffic), a.traffic
		list = append(list, e)
	}
	return list, nil
}

func auditPosition(n uint64) string { return strconv.FormatUint(n, 10) }
