package metrics

import (
	"context"
	"time"

	"github.com/grantd/grantd/store"
)

func (s *Store) Clients() store.Clients             { return &s.clients }
func (s *Store) Orgs() store.Orgs                   { return &s.orgs }
func (s *Store) Customers() store.Customers         { return &s.customers }
func (s *Store) Partners() store.Partners           { return &s.partners }
func (s *Store) PartnerTokens() store.PartnerTokens { return &s.partnerTokens }
func (s *Store) Grants() store.Grants               { return &s.grants }

// records measures the operations on one kind of record.
type records[R any] struct {
	store.Records[R]
	create, read, update, remove, list *operation
}

func measureRecords[R any](m *Metrics, of store.Records[R], kind string) records[R] {
	return records[R]{
		Records: of,
		create:  m.operation("Create" + kind), read: m.operation("Get" + kind), update: m.operation("Update" + kind),
		remove: m.operation("Delete" + kind), list: m.operation("List" + kind + "s"),
	}
}

func (k *records[R]) Create(ctx context.Context, r R) error {
	began := time.Now()
	err := k.Records.Create(ctx, r)
	k.create.done(began, err)
	return err
}

func (k *records[R]) Get(ctx context.Context, id string) (R, error) {
	began := time.Now()
	r, err := k.Records.Get(ctx, id)
	k.read.done(began, err)
	return r, err
}

func (k *records[R]) Update(ctx context.Context, r R) error {
	began := time.Now()
	err := k.Records.Update(ctx, r)
	k.update.done(began, err)
	return err
}

func (k *records[R]) Delete(ctx context.Context, id string, version uint64) error {
	began := time.Now()
	err := k.Records.Delete(ctx, id, version)
	k.remove.done(began, err)
	return err
}

func (k *records[R]) List(ctx context.Context, p store.Page) ([]R, error) {
	began := time.Now()
	list, err := k.Records.List(ctx, p)
	k.list.done(began, err)
	return list, err
}
