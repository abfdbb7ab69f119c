package embedded

import (
	"time"

	"go.etcd.io/bbolt"
)

// A log is a bucket of numbered records, oldest first; each is preceded by
// the time it was appended at, in Unix milliseconds. Numbers start at 1 and
// are never used twice: bbolt keeps the last one with the bucket.

// trimAtOnce bounds the work that trimming adds to one append.
const trimAtOnce = 1000

// appendLog appends the records and answers the number of the last.
func appendLog(b *bbolt.Bucket, now time.Time, records [][]byte) (uint64, error) {
	b.FillPercent = orderly
	stamp := number(uint64(now.UnixMilli()))
	for _, r := range records {
		n, err := b.NextSequence()
		if err != nil {
			return 0, err
		}
		if err := b.Put(number(n), append(stamp[:8:8], r...)); err != nil {
			return 0, err
		}
	}
	return b.Sequence(), nil
}

// trimLog removes records that were superseded before cutoff: those whose
// successor is older than that. So the newest always stays, and so does the
// one before it while someone may still stand there.
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

// logRecord is a record's own bytes.
func logRecord(v []byte) []byte { return v[min(8, len(v)):] }
