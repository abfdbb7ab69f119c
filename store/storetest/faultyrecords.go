package storetest

import (
	"context"
	"reflect"

	"github.com/grantd/grantd/store"
)

func (f *Faulty) Clients() store.Clients { return faultyOf(f, f.Store.Clients(), store.ClientKind) }
func (f *Faulty) Orgs() store.Orgs       { return faultyOf(f, f.Store.Orgs(), store.OrgKind) }
func (f *Faulty) Customers() store.Customers {
	return faultyOf(f, f.Store.Customers(), store.CustomerKind)
}
func (f *Faulty) Partners() store.Partners {
	return faultyOf(f, f.Store.Partners(), store.PartnerKind)
}
func (f *Faulty) Grants() store.Grants { return faultyOf(f, f.Store.Grants(), store.GrantKind) }
func (f *Faulty) PartnerTokens() store.PartnerTokens {
	return faultyOf(f, f.Store.PartnerTokens(), store.PartnerTokenKind)
}

// faultyRecords passes calls on through the faults. Its methods are named with
// the kind: CreateClient, ListClients.
type faultyRecords[R any] struct {
	f    *Faulty
	of   store.Records[R]
	kind string
}

func faultyOf[R any](f *Faulty, of store.Records[R], kind store.Kind[R]) faultyRecords[R] {
	return faultyRecords[R]{f, of, kind.Title}
}

func (k faultyRecords[R]) Create(ctx context.Context, r R) error {
	return k.f.do(ctx, "Create"+k.kind, func() error { return k.of.Create(ctx, r) })
}

func (k faultyRecords[R]) Get(ctx context.Context, id string) (R, error) {
	return through(ctx, k.f, "Get"+k.kind, func() (R, error) { return k.of.Get(ctx, id) })
}

func (k faultyRecords[R]) Update(ctx context.Context, r R) error {
	return k.f.do(ctx, "Update"+k.kind, func() error { return k.of.Update(ctx, r) })
}

func (k faultyRecords[R]) Delete(ctx context.Context, id string, version uint64) error {
	return k.f.do(ctx, "Delete"+k.kind, func() error { return k.of.Delete(ctx, id, version) })
}

func (k faultyRecords[R]) List(ctx context.Context, p store.Page) ([]R, error) {
	return through(ctx, k.f, "List"+k.kind+"s", func() ([]R, error) { return k.of.List(ctx, p) })
}

// methods answers the name of everything that can be called on a store: its
// own methods, and those of its kinds of records.
func methods() map[string]bool {
	names := map[string]bool{}
	for m := range reflect.TypeFor[store.Store]().Methods() {
		role := m.Type.Out(0)
		if m.Type.NumIn() > 0 || role.Kind() != reflect.Interface || role.NumMethod() != recordMethods {
			names[m.Name] = true
		}
	}
	for _, kind := range []string{
		store.ClientKind.Title, store.OrgKind.Title, store.CustomerKind.Title,
		store.PartnerKind.Title, store.PartnerTokenKind.Title, store.GrantKind.Title,
	} {
		for _, name := range []string{"Create" + kind, "Get" + kind, "Update" + kind, "Delete" + kind, "List" + kind + "s"} {
			names[name] = true
		}
	}
	return names
}

// recordMethods is how many methods a store.RecordSet has.
var recordMethods = reflect.TypeFor[store.Clients]().NumMethod()
