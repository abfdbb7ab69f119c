package registry

import (
	"context"

	"github.com/grantd/grantd/store"
)

// listPage is how many records one read returns after the first page, if
// records of the first page were left out.
const listPage = 500

// scanMost bounds the records that one call of Scan reads.
const scanMost = 10_000

// List returns the records of the page as view shows them. It leaves out a
// record for which view returns false, and reads on until it has as many as the
// page's limit.
func List[R, V any](ctx context.Context, g *Registry[R], p store.Page, view func(R) (V, bool, error)) ([]V, error) {
	views := []V{}
	for limit := p.Limit; len(views) < limit; p.Limit = listPage {
		list, err := g.kind.Store.List(ctx, p)
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
			p.After = g.kind.ID(&list[i])
		}
		if len(list) < p.Limit {
			break
		}
	}
	return views, nil
}

// Scan is List for a view that may leave out nearly everything: it reads a bounded
// number of records. next is the id to go on after; "" at the end.
func Scan[R, V any](ctx context.Context, g *Registry[R], p store.Page, view func(R) (V, bool)) (views []V, next string, err error) {
	limit, read := p.Limit, 0
	p.Limit = listPage
	for read < scanMost {
		list, err := g.kind.Store.List(ctx, p)
		if err != nil {
			return nil, "", err
		}
		for i := range list {
			p.After = g.kind.ID(&list[i])
			if v, ok := view(list[i]); ok {
				views = append(views, v)
			}
			if len(views) == limit {
				return views, p.After, nil
			}
		}
		if len(list) < p.Limit {
			return views, "", nil
		}
		read += len(list)
	}
	return views, p.After, nil
}
