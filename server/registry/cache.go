package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/coalesce"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

const (
	// maxCached bounds a cache, in records.
	maxCached = 10_000
	// cacheAge is the longest a record is used without a new read: a replica
	// that died between writing a record and telling the feed is caught by it.
	cacheAge = time.Minute
)

// Cache answers records without asking the store as long as the feed says
// that they have not changed (design §4: issuing reads nothing).
type Cache[R any] struct {
	get       func(ctx context.Context, id string) (R, error)
	principal func(id string) string
	id        func(*R) string
	feed      *feed.Feed
	cache     *otter.Cache[string, *cachedRecord[R]] // by pointer: one instance of otter for all kinds
	rereads   coalesce.Group[string, Lookup[R]]
}

// cachedRecord is a record with the view of the feed that was current before
// it was read.
type cachedRecord[R any] struct {
	record *R
	mark   feed.Mark
	read   time.Time
}

// Lookup is what is known of a record.
type Lookup[R any] struct {
	Record *R // nil: there is none; shared, not to be changed
	// Mark of the feed that the record was good at: what is minted on it must
	// carry that position.
	Mark   feed.Mark
	Cached bool // the store was not asked
}

// NewCache makes an empty cache of the records that s keeps.
func NewCache[R any](kind store.Kind[R], s store.Records[R], f *feed.Feed) *Cache[R] {
	return &Cache[R]{
		get: s.Get, principal: kind.Principal, id: kind.ID, feed: f,
		cache: otter.Must(&otter.Options[string, *cachedRecord[R]]{MaximumSize: maxCached}),
	}
}

// Get answers the record. Errors: store.ErrUnavailable.
func (c *Cache[R]) Get(ctx context.Context, id string) (Lookup[R], error) {
	view, err := c.feed.Fresh(ctx)
	if err != nil {
		return Lookup[R]{}, err
	}
	if e, ok := c.cache.GetIfPresent(id); ok && c.valid(id, e, view) {
		return Lookup[R]{Record: e.record, Mark: view, Cached: true}, nil
	}
	return c.read(ctx, id, view)
}

// Reread answers the store's own record, for a caller who is about to be
// refused because of what may have changed a moment ago. A record that was
// just read is not read twice, and who asks for the same one at the same time
// shares a read: one that begins after each of them has come.
// Errors: store.ErrUnavailable.
func (c *Cache[R]) Reread(ctx context.Context, id string, k Lookup[R]) (Lookup[R], error) {
	if !k.Cached {
		return k, nil
	}
	id = strings.Clone(id) // not a part of one caller's request
	shared := context.WithoutCancel(ctx)
	k, _, _, err := c.rereads.Do(ctx, id, func(int) (Lookup[R], error) {
		view, err := c.feed.Fresh(shared)
		if err != nil {
			return Lookup[R]{}, err
		}
		return c.read(shared, id, view)
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return k, err
}

func (c *Cache[R]) read(ctx context.Context, id string, view feed.Mark) (Lookup[R], error) {
	r, err := c.get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		c.cache.Invalidate(id)
		return Lookup[R]{Mark: view}, nil
	}
	if err != nil {
		return Lookup[R]{}, err
	}
	// Under the id of the record: the caller's may be a part of its request,
	// whose secret would stay in memory with it.
	c.cache.Set(c.id(&r), &cachedRecord[R]{record: &r, mark: view, read: time.Now()})
	return Lookup[R]{Record: &r, Mark: view}, nil
}

func (c *Cache[R]) valid(id string, e *cachedRecord[R], view feed.Mark) bool {
	if time.Since(e.read) > cacheAge || e.mark.Epoch != view.Epoch {
		return false
	}
	return e.mark.Generation == view.Generation || !c.feed.Changed(c.principal(id), e.mark.Position)
}
