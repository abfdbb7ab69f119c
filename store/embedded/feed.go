package embedded

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// AppendFeed appends entries in one step and returns the position of the last
// one. Without entries, it returns the position of the newest entry ever.
func (s *Store) AppendFeed(ctx context.Context, entries ...store.Entry) (store.Position, error) {
	records := make([][]byte, len(entries))
	for i, e := range entries {
		var err error
		if records[i], err = store.MarshalEntry(e); err != nil {
			return store.Position{}, err
		}
	}
	var last uint64
	err := s.write(ctx, "append to the feed", func(b *batch) error {
		var err error
		if last, err = appendLog(feed(b.tx), b.now, records); err != nil {
			return err
		}
		b.fed = last
		return trimLog(feed(b.tx), b.steady.Add(-store.FeedRetention))
	})
	if err != nil {
		return store.Position{}, err
	}
	return store.Position{Seq: last}, nil
}

// ReadFeed returns the entries after a position, and waits for one if there
// are none. Errors: store.ErrFeedLost.
func (s *Store) ReadFeed(ctx context.Context, after store.Position, wait time.Duration) ([]store.Entry, error) {
	const operation = "read the feed"
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		grown := s.fed.listen() // before the read, so that no append is missed
		entries, err := s.readFeed(ctx, operation, after)
		if err != nil || len(entries) > 0 || wait <= 0 {
			return entries, err
		}
		select {
		case <-grown:
		case <-timeout.C:
			return nil, nil
		case <-ctx.Done():
			return nil, unavailable(operation, ctx.Err())
		case <-s.closing:
			return nil, unavailable(operation, errClosed)
		}
	}
}

func (s *Store) readFeed(ctx context.Context, operation string, after store.Position) ([]store.Entry, error) {
	var entries []store.Entry
	err := s.view(ctx, operation, func(tx *bbolt.Tx) error {
		c := feed(tx).Cursor()
		k, v := c.First()
		if !after.IsZero() {
			k, _ = c.Seek(number(after.Seq))
			if after.Time != 0 || k == nil || numberOf(k) != after.Seq {
				return refuse(store.ErrFeedLost)
			}
			k, v = c.Next()
		}
		for ; k != nil && len(entries) < store.FeedPage; k, v = c.Next() {
			p := store.Position{Seq: numberOf(k)}
			entries = append(entries, store.UnmarshalEntry(logRecord(v), p))
		}
		return nil
	})
	return entries, err
}

// FeedLineage returns the id of the file. It changes if an older copy was put in
// the place of the file: the feed can only be lost together with the records that
// it is about.
func (s *Store) FeedLineage(ctx context.Context) (store.Lineage, error) {
	var l store.Lineage
	err := s.view(ctx, "read the feed's lineage", func(tx *bbolt.Tx) error {
		l.Current = string(meta(tx).Get(keyLineage))
		l.Witnessed = string(meta(tx).Get(keyWitnessed))
		return nil
	})
	return l, err
}

// WitnessFeed records that the feed of this lineage is complete.
func (s *Store) WitnessFeed(ctx context.Context, lineage string) error {
	return s.write(ctx, "witness the feed", func(b *batch) error {
		return meta(b.tx).Put(keyWitnessed, []byte(lineage))
	})
}

// bell wakes all listeners when it rings.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// listen returns a channel that is closed at the next ring.
func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
