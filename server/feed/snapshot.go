package feed

import (
	"context"
	"fmt"

	"github.com/grantd/grantd/store"
)

// Read returns a copy of the feed as it is now, and the lineages of the store. It
// does not follow the feed, writes nothing, and needs no Stop. Errors:
// store.ErrUnavailable.
func Read(ctx context.Context, o Options) (*Feed, store.Lineage, error) {
	f := New(o)
	f.recovering.Lock()
	defer f.recovering.Unlock()
	s, lineage, err := f.load(ctx)
	if err != nil {
		return nil, lineage, fmt.Errorf("read feed: %w", err)
	}
	f.replace(s)
	return f, lineage, nil
}
