package registry

import (
	"context"

	"github.com/grantd/grantd/store"
)

// listPage is how many records are read at once after the first page, when
// records of that one were left out.
const listPage = 500

// List returns what view makes of the records of the page. A record for which
// view returns false is left out, and List reads on until it has as many as
// the page's limit.
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
