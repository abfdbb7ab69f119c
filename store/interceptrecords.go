package store

import "context"

func (i *Intercepted[S]) Clients() Clients               { return &i.clients }
func (i *Intercepted[S]) Orgs() Orgs                     { return &i.orgs }
func (i *Intercepted[S]) Customers() Customers           { return &i.customers }
func (i *Intercepted[S]) Partners() Partners             { return &i.partners }
func (i *Intercepted[S]) PartnerTokens() PartnerTokens   { return &i.partnerTokens }
func (i *Intercepted[S]) APIKeys() APIKeys               { return &i.apiKeys }
func (i *Intercepted[S]) Grants() Grants                 { return &i.grants }
func (i *Intercepted[S]) Holds() Holds                   { return &i.holds }
func (i *Intercepted[S]) NoticeQueues() NoticeQueues     { return &i.noticeQueues }
func (i *Intercepted[S]) SigningKeys() SigningKeyRecords { return &i.signingKeys }

func (i *Intercepted[S]) IndexGroups(ctx context.Context) (int, error) {
	return interceptGet(ctx, i.hook, "IndexGroups", func() (int, error) { return i.Store.IndexGroups(ctx) })
}

// recordOperations are the names of the operations on the records of one kind.
type recordOperations struct{ create, get, update, restore, remove, list string }

func (k Kind[R]) operations() recordOperations {
	return recordOperations{"Create" + k.Title, "Get" + k.Title, "Update" + k.Title, "Restore" + k.Title, "Delete" + k.Title, "List" + k.Title + "s"}
}

func (o recordOperations) all() []string {
	return []string{o.create, o.get, o.update, o.restore, o.remove, o.list}
}

// interceptedRecords are the records of one kind, with a hook around their
// operations.
type interceptedRecords[R, S any] struct {
	records Records[R]
	hook    Hook[S]
	names   recordOperations
}

func interceptRecords[R, S any](records Records[R], hook Hook[S], kind Kind[R]) interceptedRecords[R, S] {
	return interceptedRecords[R, S]{records, hook, kind.operations()}
}

func (i *interceptedRecords[R, S]) Create(ctx context.Context, r R) error {
	return interceptDo(ctx, i.hook, i.names.create, func() error { return i.records.Create(ctx, r) })
}

func (i *interceptedRecords[R, S]) Get(ctx context.Context, id string) (R, error) {
	return interceptGet(ctx, i.hook, i.names.get, func() (R, error) { return i.records.Get(ctx, id) })
}

func (i *interceptedRecords[R, S]) Update(ctx context.Context, r R) error {
	return interceptDo(ctx, i.hook, i.names.update, func() error { return i.records.Update(ctx, r) })
}

func (i *interceptedRecords[R, S]) Restore(ctx context.Context, r R, replaces uint64) error {
	return interceptDo(ctx, i.hook, i.names.restore, func() error { return i.records.Restore(ctx, r, replaces) })
}

func (i *interceptedRecords[R, S]) Delete(ctx context.Context, id string, version uint64) error {
	return interceptDo(ctx, i.hook, i.names.remove, func() error { return i.records.Delete(ctx, id, version) })
}

func (i *interceptedRecords[R, S]) List(ctx context.Context, p Page) ([]R, error) {
	return interceptGet(ctx, i.hook, i.names.list, func() ([]R, error) { return i.records.List(ctx, p) })
}
