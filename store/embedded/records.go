package embedded

import (
	"context"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// records keeps the records of one kind in a bucket: id → stored form.
type records[R any] struct {
	store.Kind[R]
	s      *Store
	bucket []byte
	// decode replaces Unmarshal in Get; nil: Unmarshal is used.
	decode func(id, form string) (R, error)
	// uses returns the owner's principal key of the credentials that a record
	// holds; nil: it holds no credentials.
	uses func(id string) string
	// groups is the bucket of the index of groups; nil: records of this kind have
	// none.
	groups []byte
}

// Clients keeps clients. Get does not decode an unchanged record again.
func (s *Store) Clients() store.Clients { return &s.clients }

// Orgs keeps orgs.
func (s *Store) Orgs() store.Orgs { return &s.orgs }

// Customers keeps customers.
func (s *Store) Customers() store.Customers { return &s.customers }

// Partners keeps partners.
func (s *Store) Partners() store.Partners { return &s.partners }

// PartnerTokens keeps the owner of each partner token.
func (s *Store) PartnerTokens() store.PartnerTokens { return &s.partnerTokens }

// APIKeys keeps the API keys of orgs.
func (s *Store) APIKeys() store.APIKeys { return &s.apiKeys }

// Grants keeps what orgs allow partners.
func (s *Store) Grants() store.Grants { return &s.grants }

// NoticeQueues keeps the queue of notices.
func (s *Store) NoticeQueues() store.NoticeQueues { return &s.noticeQueues }

// SigningKeys keeps the keys that sign introspection.
func (s *Store) SigningKeys() store.SigningKeyRecords { return &s.signingKeys }

// Holds keeps the hold.
func (s *Store) Holds() store.Holds { return &s.holds }

// Create writes a new record. Errors: store.ErrExists.
func (k *records[R]) Create(ctx context.Context, r R) error {
	first, err := k.EncodeNew(r)
	if err != nil {
		return err
	}
	return k.s.write(ctx, "create "+k.Name, func(b *batch) error {
		if err := checkKeys(first); err != nil {
			return err
		}
		if b.tx.Bucket(k.bucket).Get([]byte(first.ID)) != nil {
			return refuse(store.ErrExists)
		}
		return k.put(b.tx, first)
	})
}

// checkID refuses an id that cannot be a key. Otherwise bbolt would fail the
// whole transaction.
func checkID(id string) error {
	if id == "" || len(id) > bbolt.MaxKeySize {
		return refuse(errors.New("id is empty or too long"))
	}
	return nil
}

// Get returns a record. Errors: store.ErrNotFound, store.ErrUnknownRecord.
func (k *records[R]) Get(ctx context.Context, id string) (R, error) {
	var r R
	err := k.s.view(ctx, "get "+k.Name, func(tx *bbolt.Tx) (err error) {
		form := tx.Bucket(k.bucket).Get([]byte(id))
		if form == nil {
			return refuse(store.ErrNotFound)
		}
		if k.decode != nil {
			r, err = k.decode(id, string(form))
		} else {
			r, err = k.Unmarshal(form)
		}
		if err != nil {
			return refuse(err)
		}
		return nil
	})
	return r, err
}

// Update replaces a record if its version is that of r.
// Errors: store.ErrNotFound, store.ErrConflict.
func (k *records[R]) Update(ctx context.Context, r R) error {
	next, err := k.EncodeNext(r)
	if err != nil {
		return err
	}
	return k.s.write(ctx, "update "+k.Name, func(b *batch) error {
		if err := k.checkVersion(b.tx, next.ID, next.Replaces); err != nil {
			return err
		}
		return k.put(b.tx, next)
	})
}

// Restore replaces the record with the version replaces, or none if that is 0, by
// r with its version. Errors: store.ErrNotFound, store.ErrConflict, store.ErrExists.
func (k *records[R]) Restore(ctx context.Context, r R, replaces uint64) error {
	next, err := k.EncodeRestored(r, replaces)
	if err != nil {
		return err
	}
	return k.s.write(ctx, "restore "+k.Name, func(b *batch) error {
		if err := checkKeys(next); err != nil {
			return err
		}
		if next.Replaces != 0 {
			if err := k.checkVersion(b.tx, next.ID, next.Replaces); err != nil {
				return err
			}
		} else if b.tx.Bucket(k.bucket).Get([]byte(next.ID)) != nil {
			return refuse(store.ErrExists)
		}
		return k.put(b.tx, next)
	})
}

// Delete removes a record, with the uses of the credentials that it holds, if
// its version is version.
// Errors: store.ErrNotFound, store.ErrConflict.
func (k *records[R]) Delete(ctx context.Context, id string, version uint64) error {
	return k.s.write(ctx, "delete "+k.Name, func(b *batch) error {
		if err := k.checkVersion(b.tx, id, version); err != nil {
			return err
		}
		if k.uses != nil {
			if err := deleteUses(b.tx, k.uses(id)); err != nil {
				return err
			}
			if err := deleteNetworks(b.tx, k.uses(id)); err != nil {
				return err
			}
		}
		if err := k.leaveGroup(b.tx, id, ""); err != nil {
			return err
		}
		return b.tx.Bucket(k.bucket).Delete([]byte(id))
	})
}

// checkVersion returns an error unless the stored record has the version.
func (k *records[R]) checkVersion(tx *bbolt.Tx, id string, version uint64) error {
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

// List returns the records of the page. Errors: store.ErrUnknownRecord.
func (k *records[R]) List(ctx context.Context, p store.Page) (list []R, err error) {
	err = k.s.view(ctx, "list "+k.Name+"s", func(tx *bbolt.Tx) (err error) {
		if p.Group != "" {
			list, err = k.listGroup(tx, p)
		} else {
			list, err = k.list(tx, p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (k *records[R]) list(tx *bbolt.Tx, p store.Page) (list []R, err error) {
	after, below := p.Bounds()
	c := tx.Bucket(k.bucket).Cursor()
	id, form := c.Seek([]byte(after))
	if string(id) == after {
		id, form = c.Next()
	}
	for ; id != nil && len(list) < p.Limit && (below == "" || string(id) < below); id, form = c.Next() {
		r, err := k.Unmarshal(form)
		if err != nil {
			return nil, refuse(err)
		}
		list = append(list, r)
	}
	return list, nil
}
