package embedded

import (
	"bytes"
	"context"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// records keeps the records of one kind in a bucket: id → stored form.
type records[R any] struct {
	store.Records[R]
	s      *Store
	bucket []byte
}

func (k *records[R]) create(ctx context.Context, r R) error {
	first, err := k.First(r)
	if err != nil {
		return err
	}
	return k.s.write(ctx, "create "+k.Name, func(b *batch) error {
		bucket := b.tx.Bucket(k.bucket)
		if err := checkID(first.ID); err != nil {
			return err
		}
		if bucket.Get([]byte(first.ID)) != nil {
			return refuse(store.ErrExists)
		}
		return bucket.Put([]byte(first.ID), first.Form)
	})
}

// checkID refuses what cannot be a key, before bbolt fails the whole
// transaction for it.
func checkID(id string) error {
	if id == "" || len(id) > bbolt.MaxKeySize {
		return refuse(errors.New("id is empty or too long"))
	}
	return nil
}

// get has decode read the record's stored form, which is bbolt's.
func (k *records[R]) get(ctx context.Context, id string, decode func(form []byte) (R, error)) (R, error) {
	var r R
	err := k.s.view(ctx, "get "+k.Name, func(tx *bbolt.Tx) error {
		form := tx.Bucket(k.bucket).Get([]byte(id))
		if form == nil {
			return refuse(store.ErrNotFound)
		}
		var err error
		if r, err = decode(form); err != nil {
			return refuse(err)
		}
		return nil
	})
	return r, err
}

func (k *records[R]) update(ctx context.Context, r R) error {
	next, err := k.Next(r)
	if err != nil {
		return err
	}
	return k.s.write(ctx, "update "+k.Name, func(b *batch) error {
		if err := k.check(b.tx, next.ID, next.Was); err != nil {
			return err
		}
		return b.tx.Bucket(k.bucket).Put([]byte(next.ID), next.Form)
	})
}

// remove removes the record in one step with what also removes, if it is not
// nil.
func (k *records[R]) remove(ctx context.Context, id string, version uint64, also func(*bbolt.Tx) error) error {
	return k.s.write(ctx, "delete "+k.Name, func(b *batch) error {
		if err := k.check(b.tx, id, version); err != nil {
			return err
		}
		if also != nil {
			if err := also(b.tx); err != nil {
				return err
			}
		}
		return b.tx.Bucket(k.bucket).Delete([]byte(id))
	})
}

// check wants the stored record to be of the version.
func (k *records[R]) check(tx *bbolt.Tx, id string, version uint64) error {
	form := tx.Bucket(k.bucket).Get([]byte(id))
	if form == nil {
		return refuse(store.ErrNotFound)
	}
	switch stored, err := k.Version(form); {
	case err != nil:
		return refuse(err)
	case stored != version:
		return refuse(store.ErrConflict)
	}
	return nil
}

func (k *records[R]) list(ctx context.Context, after string, limit int) ([]R, error) {
	var list []R
	err := k.s.view(ctx, "list "+k.Name+"s", func(tx *bbolt.Tx) error {
		c := tx.Bucket(k.bucket).Cursor()
		id, form := c.Seek([]byte(after))
		if bytes.Equal(id, []byte(after)) {
			id, form = c.Next()
		}
		for ; id != nil && len(list) < limit; id, form = c.Next() {
			r, err := k.Unmarshal(form)
			if err != nil {
				return refuse(err)
			}
			list = append(list, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
