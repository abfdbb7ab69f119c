package registry

import (
	"context"

	"github.com/grantd/grantd/store"
)

// listPage is how many records one read returns after the first page, if
// records of the first page were left out.
const listPage = 500

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
