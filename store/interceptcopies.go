package store

import "context"

func (i *Intercepted[S]) AdvanceFeed(ctx context.Context, p Position) error {
	return interceptDo(ctx, i.hook, "AdvanceFeed", func() error { return i.Store.AdvanceFeed(ctx, p) })
}

func (i *Intercepted[S]) ReadStamp(ctx context.Context) (Stamp, error) {
	return interceptGet(ctx, i.hook, "ReadStamp", func() (Stamp, error) { return i.Store.ReadStamp(ctx) })
}

func (i *Intercepted[S]) Restamp(ctx context.Context, from, to Stamp) error {
	return interceptDo(ctx, i.hook, "Restamp", func() error { return i.Store.Restamp(ctx, from, to) })
}

func (i *Intercepted[S]) Dump(ctx context.Context, s Section, cursor string, limit int) (items []Item, next string, err error) {
	items, err = interceptGet(ctx, i.hook, "Dump", func() (items []Item, err error) {
		items, next, err = i.Store.Dump(ctx, s, cursor, limit)
		return items, err
	})
	return items, next, err
}

func (i *Intercepted[S]) Load(ctx context.Context, items ...Item) error {
	return interceptDo(ctx, i.hook, "Load", func() error { return i.Store.Load(ctx, items...) })
}

func (i *Intercepted[S]) Clear(ctx context.Context) error {
	return interceptDo(ctx, i.hook, "Clear", func() error { return i.Store.Clear(ctx) })
}

func (i *Intercepted[S]) Serving(ctx context.Context) (bool, error) {
	return interceptGet(ctx, i.hook, "Serving", func() (bool, error) { return i.Store.Serving(ctx) })
}

func (i *Intercepted[S]) Inspect(ctx context.Context, found func(Finding)) error {
	return interceptDo(ctx, i.hook, "Inspect", func() error { return i.Store.Inspect(ctx, found) })
}
