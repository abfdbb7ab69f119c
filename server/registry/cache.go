package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/grantd/grantd/server/coalesce"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

const (
	// cacheAge bounds how long a record is used without another read. It
	// limits the damage of a replica that died after it wrote a record and
	// before it told the feed.
	cacheAge = time.Minute
)

// Cache returns records without reading the store, as long as the feed says
// that they have not changed. Safe for concurrent use.
type Cache[R any] struct {
	get       func(ctx context.Context, id string) (R, error)
	principal func(id string) string
	id        func(*R) string
	head      func(*R) *store.Head
	feed      *feed.Feed
	entries   entries
	rereads   coalesce.Group[string, Lookup[R]]
}

// Lookup is what a Cache found.
type Lookup[R any] struct {
	Record *R // nil: there is none. It is shared: do not change it.
	// Mark is a mark of the feed at which the record was current. A token that
	// is minted because of the record must carry its position.
	Mark   feed.Mark
	Cached bool // found without reading the store
}

// NewCache makes an empty cache of the records in s.
func NewCache[R any](kind store.Kind[R], s store.Records[R], f *feed.Feed) *Cache[R] {
	return &Cache[R]{
		get: s.Get, principal: kind.Principal, id: kind.ID, head: kind.Head, feed: f,
		entries: newEntries(),
	}
}

// Get returns the record, from memory if the cached copy is valid.
// Errors: feed.ErrStale, store.ErrUnavailable.
func (c *Cache[R]) Get(ctx context.Context, id string) (Lookup[R], error) {
	found, err := c.Peek(ctx, id)
	if err != nil || found.Cached {
		return found, err
	}
	return c.read(ctx, id, found.Mark)
}

// Peek is Get without a read: the record is nil if there is no valid copy in
// memory.
// Errors: feed.ErrStale.
func (c *Cache[R]) Peek(ctx context.Context, id string) (Lookup[R], error) {
	mark, err := c.feed.Fresh(ctx)
	if err != nil {
		return Lookup[R]{}, err
	}
	if e, ok := c.entries.get(id); ok && c.valid(e, mark) {
		return Lookup[R]{Record: e.record.(*R), Mark: mark, Cached: true}, nil
	}
	return Lookup[R]{Mark: mark}, nil
}

// Reread returns the record as the store has it, for a caller that is about to
// refuse because of found. If found was read from the store, Reread returns it
// unchanged.
// Errors: feed.ErrStale, store.ErrUnavailable.
func (c *Cache[R]) Reread(ctx context.Context, id string, found Lookup[R]) (Lookup[R], error) {
	if !found.Cached {
		return found, nil
	}
	return c.Read(ctx, id)
}

// Read returns the record as the store has it. Calls for the same record at the
// same time share one read, which begins after each of them.
// Errors: feed.ErrStale, store.ErrUnavailable.
func (c *Cache[R]) Read(ctx context.Context, id string) (Lookup[R], error) {
	id = strings.Clone(id) // it may be a part of one caller's request, and outlives it
	shared := context.WithoutCancel(ctx)
	found, _, _, err := c.rereads.Do(ctx, id, func(int) (Lookup[R], error) {
		mark, err := c.feed.Fresh(shared)
		if err != nil {
			return Lookup[R]{}, err
		}
		return c.read(shared, id, mark)
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return found, err
}

// read reads the record from the store. mark is from before the read.
func (c *Cache[R]) read(ctx context.Context, id string, mark feed.Mark) (Lookup[R], error) {
	r, err := c.get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		c.entries.remove(id)
		return Lookup[R]{Mark: mark}, nil
	}
	if err != nil {
		return Lookup[R]{}, err
	}
	// The key is the record's own id. The caller's id may be a part of its
	// request, and would keep the whole request, with a secret, in memory.
	if h := c.head(&r); h == nil || !h.Held() { // a held one is read again, until it is released
		own := c.id(&r)
		c.entries.set(own, &entry{record: &r, principal: c.principal(own), mark: mark, read: time.Now()})
	}
	return Lookup[R]{Record: &r, Mark: mark}, nil
}

// valid reports whether the cached record may be used at mark (invariant 6).
func (c *Cache[R]) valid(e *entry, mark feed.Mark) bool {
	if time.Since(e.read) > cacheAge || e.mark.Epoch != mark.Epoch {
		return false
	}
	return e.mark.Generation == mark.Generation || !c.feed.Changed(e.principal, e.mark.Position)
}
