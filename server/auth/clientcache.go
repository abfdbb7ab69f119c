package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/together"
	"github.com/grantd/grantd/store"
)

const (
	// maxCachedClients bounds the cache, in records.
	maxCachedClients = 10_000
	// clientCacheAge is the longest a record is used without a new read: a
	// replica that died between writing a record and telling the feed is
	// caught by it.
	clientCacheAge = time.Minute
)

// ClientCache answers client records without asking the store as long as the
// feed says that they have not changed (design §4: issuing reads nothing).
type ClientCache struct {
	store store.Clients
	feed  *feed.Feed
	cache *otter.Cache[string, cachedClient]
	again together.Group[string, Record]
}

// cachedClient is a record with the view of the feed that was current before
// it was read.
type cachedClient struct {
	client *store.Client
	view   feed.View
	read   time.Time
}

// Record is what is known of a client.
type Record struct {
	Client *store.Client // nil: there is none; shared, not to be changed
	// View of the feed that the record was good at: what is minted on it must
	// carry that position.
	View   feed.View
	cached bool
}

// NewClientCache makes an empty cache over s.
func NewClientCache(s store.Clients, f *feed.Feed) *ClientCache {
	return &ClientCache{
		store: s,
		feed:  f,
		cache: otter.Must(&otter.Options[string, cachedClient]{MaximumSize: maxCachedClients}),
	}
}

// Get answers the record. Errors: store.ErrUnavailable.
func (c *ClientCache) Get(ctx context.Context, id string) (Record, error) {
	view, err := c.feed.Fresh(ctx)
	if err != nil {
		return Record{}, err
	}
	if e, ok := c.cache.GetIfPresent(id); ok && c.good(id, e, view) {
		return Record{Client: e.client, View: view, cached: true}, nil
	}
	return c.read(ctx, id, view)
}

// Again answers the store's own record, for a caller who is about to be
// refused because of what may have changed a moment ago. A record that was
// just read is not read twice, and who asks for the same one at the same time
// shares a read: one that begins after each of them has come.
// Errors: store.ErrUnavailable.
func (c *ClientCache) Again(ctx context.Context, id string, r Record) (Record, error) {
	if !r.cached {
		return r, nil
	}
	id = strings.Clone(id) // not a part of one caller's request
	shared := context.WithoutCancel(ctx)
	r, _, _, err := c.again.Do(ctx, id, func(int) (Record, error) {
		view, err := c.feed.Fresh(shared)
		if err != nil {
			return Record{}, err
		}
		return c.read(shared, id, view)
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return r, err
}

func (c *ClientCache) read(ctx context.Context, id string, view feed.View) (Record, error) {
	rec, err := c.store.GetClient(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		c.cache.Invalidate(id)
		return Record{View: view}, nil
	}
	if err != nil {
		return Record{}, err
	}
	// Under the id of the record: the caller's may be a part of its request,
	// whose secret would stay in memory with it.
	c.cache.Set(rec.ID, cachedClient{client: &rec, view: view, read: time.Now()})
	return Record{Client: &rec, View: view}, nil
}

func (c *ClientCache) good(id string, e cachedClient, view feed.View) bool {
	if time.Since(e.read) > clientCacheAge || e.view.Epoch != view.Epoch {
		return false
	}
	return e.view.Generation == view.Generation ||
		!c.feed.Changed(store.PrincipalClient(id), e.view.Position)
}
