package embedded

import (
	"time"

	"go.etcd.io/bbolt"
)

// A log is a bucket of numbered records, oldest first. Before each record is
// the time when it was appended, in Unix milliseconds. Numbers start at 1 and
// are never used twice: bbolt keeps the last one with the bucket.

// trimAtOnce bounds the work that trimming adds to one append.
const trimAtOnce = 1000

// appendLog appends the records and returns the number of the last one.
func appendLog(b *bbolt.Bucket, now time.Time, records [][]byte) (uint64, error) {
	b.FillPercent = appendFill
	for _, r := range records {
		if err := appendAt(b, uint64(now.UnixMilli()), r); err != nil {
			return 0, err
		}
	}
	return b.Sequence(), nil
}

// appendAt appends a record that is from the time at, in Unix milliseconds.
func appendAt(b *bbolt.Bucket, at uint64, record []byte) error {
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	return b.Put(number(n), append(number(at), record...))
}

// trimLog removes the records whose successor is older than cutoff. So the
// newest record always stays, and so does the one before it as long as a reader
// may still be at that position.
func trimLog(b *bbolt.Bucket, cutoff time.Time) error {
	var old [][]byte
	limit := uint64(max(cutoff.UnixMilli(), 0))
	c := b.Cursor()
	last, _ := c.First()
	for k, v := c.Next(); k != nil && len(old) < trimAtOnce && numberOf(v) < limit; k, v = c.Next() {
		old = append(old, last)
		last = k
	}
	for _, k := range old {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// logRecord returns the record without the time before it.
func logRecord(v []byte) []byte { return v[min(8, len(v)):] }
