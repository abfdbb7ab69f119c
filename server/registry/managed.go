package registry

import (
	"context"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// Managed does with the records of one kind what operators do with every kind,
// and answers each as V.
type Managed[R, V any] struct {
	keep *Keeper[R]
	show func(context.Context, R) (V, error)
}

// Manage makes a Managed.
func Manage[R, V any](k *Keeper[R], show func(context.Context, R) (V, error)) Managed[R, V] {
	return Managed[R, V]{k, show}
}

func (m Managed[R, V]) shown(ctx context.Context, r R, err error) (V, error) {
	if err != nil {
		return *new(V), err
	}
	return m.show(ctx, r)
}

// List answers up to limit records with ids after the given one, by id.
func (m Managed[R, V]) List(ctx context.Context, after string, limit int) ([]V, error) {
	return Pick(ctx, m.keep, store.Page{After: after, Limit: limit}, func(r R) (V, bool, error) {
		v, err := m.show(ctx, r)
		return v, true, err
	})
}

// pickPage is how many records are read at once where many do not count.
const pickPage = 500

// Pick answers what view makes of the records of the page, and goes on beyond
// it until it has as many as the page has room for: view answers false for one
// that does not count.
func Pick[R, V any](ctx context.Context, k *Keeper[R], p store.Page, view func(R) (V, bool, error)) ([]V, error) {
	views := []V{}
	for limit := p.Limit; len(views) < limit; p.Limit = pickPage {
		list, err := k.kind.Store.List(ctx, p)
		if err != nil {
			return nil, err
		}
		for i := range list {
			v, ok, err := view(list[i])
			if err != nil {
				return nil, err
			}
			if ok {
				views = append(views, v)
			}
			if len(views) == limit {
				return views, nil
			}
			p.After = k.kind.ID(&list[i])
		}
		if len(list) < p.Limit {
			break
		}
	}
	return views, nil
}

// Get answers one record. Errors: apierr.NotFound.
func (m Managed[R, V]) Get(ctx context.Context, id string) (V, error) {
	r, err := m.keep.Get(ctx, id)
	return m.shown(ctx, r, err)
}

// Deactivate refuses the principal and voids its tokens, for good.
// Errors: apierr.NotFound.
func (m Managed[R, V]) Deactivate(ctx context.Context, by audit.Actor, id string) (V, error) {
	r, err := m.keep.Deactivate(ctx, by, id)
	return m.shown(ctx, r, err)
}

// Reactivate takes the principal in again; its old tokens stay void.
// Errors: apierr.NotFound.
func (m Managed[R, V]) Reactivate(ctx context.Context, by audit.Actor, id string) (V, error) {
	r, err := m.keep.Reactivate(ctx, by, id)
	return m.shown(ctx, r, err)
}

// VoidTokens makes every token of the principal inactive, in O(1).
// Errors: apierr.NotFound.
func (m Managed[R, V]) VoidTokens(ctx context.Context, by audit.Actor, id string) (V, error) {
	r, err := m.keep.VoidTokens(ctx, by, id)
	return m.shown(ctx, r, err)
}

// Delete voids the principal's tokens, then removes the record. version 0
// means whatever is stored. Errors: apierr.NotFound, apierr.PreconditionFailed.
func (m Managed[R, V]) Delete(ctx context.Context, by audit.Actor, id string, version uint64) error {
	return m.keep.Delete(ctx, by, id, version)
}
