package embedded

import (
	"context"
	"errors"
	"slices"
	"strings"

	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/grantd/grantd/store"
)

// Load writes the items in one step. Errors: store.ErrUnknownRecord.
func (s *Store) Load(ctx context.Context, items ...store.Item) error {
	items = slices.Clone(items) // the caller may leave before the write runs
	for _, i := range items {
		if err := i.Check(); err != nil {
			return resultError("load", refuse(err))
		}
	}
	return s.write(ctx, "load", func(b *batch) error {
		for _, i := range items {
			if err := s.load(b, i); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) load(b *batch, i store.Item) error {
	switch i.Section {
	case store.SectionTokenKeys:
		return b.loadTokenKey(i)
	case store.SectionTokens:
		return b.loadToken(i)
	case store.SectionAudit, store.SectionAuditTraffic:
		return b.loadEvent(i)
	case store.SectionUses:
		u, err := store.UseOf(i)
		if err != nil {
			return refuse(err)
		}
		if !ownerExists(b.tx, u.Owner) {
			return nil
		}
		return uses(b.tx).Put(useKey(u.Owner, u.ID), i.Form)
	case store.SectionNetworks:
		list, err := store.NetworksOf(i)
		if err != nil {
			return refuse(err)
		}
		if !ownerExists(b.tx, store.PrincipalClient(i.Key)) {
			return nil
		}
		return b.tx.Bucket(bucketNetworks).Put([]byte(i.Key), []byte(strings.Join(list, " ")))
	case store.SectionCustomers:
		return s.customers.load(b.tx, i)
	case store.SectionAPIKeys:
		return s.apiKeys.load(b.tx, i)
	}
	if err := checkID(i.Key); err != nil {
		return err
	}
	return b.tx.Bucket(bucketOf[i.Section]).Put([]byte(i.Key), i.Form)
}

func (b *batch) loadTokenKey(i store.Item) error {
	key, err := store.TokenKeyOf(i)
	if err != nil {
		return refuse(err)
	}
	records, err := tokenKeys(b.tx)
	if err != nil {
		return err
	}
	records = slices.DeleteFunc(records, func(r keyRecord) bool { return r.ID == key.ID })
	return putTokenKeys(b.tx, append(records, keyRecord(key)))
}

func (b *batch) loadToken(i store.Item) error {
	d, t, err := store.TokenOf(i)
	if err != nil {
		return refuse(err)
	}
	if end := endOf(&t); b.now.Before(end) {
		return b.putToken(keyOf(d), hourOf(end), tokenValue(d, &t))
	}
	return nil
}

// loadEvent appends an event that was first appended at the time in its key.
func (b *batch) loadEvent(i store.Item) error {
	at, err := store.ParsePosition(i.Key)
	if err != nil {
		return refuse(err)
	}
	changes, traffic := auditStreams()
	stream := changes
	if i.Section == store.SectionAuditTraffic {
		stream = traffic
	}
	bucket := b.tx.Bucket(stream.bucket)
	count := stream.countOf(b.tx)
	if err := b.joinSequences(stream); err != nil {
		return err
	}
	if err := appendAt(bucket, at.Time, i.Form); err != nil {
		return err
	}
	return meta(b.tx).Put(stream.count, number(count+1))
}

// Clear removes everything except the id of the file and the last position of the
// feed.
func (s *Store) Clear(ctx context.Context) error {
	return s.write(ctx, "clear", func(b *batch) error {
		last := feed(b.tx).Sequence()
		for _, name := range allBuckets {
			if string(name) == string(bucketMeta) {
				continue
			}
			if err := b.tx.DeleteBucket(name); err != nil && !errors.Is(err, bbolterrors.ErrBucketNotFound) {
				return err
			}
			if _, err := b.tx.CreateBucket(name); err != nil {
				return err
			}
		}
		for _, key := range [][]byte{keyWitnessed, keyStamp, keyTokenKeys, keyAuditCount, keyAuditTrafficCount} {
			if err := meta(b.tx).Delete(key); err != nil {
				return err
			}
		}
		b.cleared = true
		clear(b.tokens)
		return feed(b.tx).SetSequence(last)
	})
}

// AdvanceFeed sets the last number that the feed has used.
func (s *Store) AdvanceFeed(ctx context.Context, p store.Position) error {
	return s.write(ctx, "advance the feed", func(b *batch) error {
		if feed(b.tx).Sequence() >= p.Seq {
			return errUnchanged
		}
		b.fed = p.Seq
		return feed(b.tx).SetSequence(p.Seq)
	})
}

// Serving returns false: the file is locked against other processes.
func (s *Store) Serving(ctx context.Context) (bool, error) { return false, s.open(ctx, "serving") }
