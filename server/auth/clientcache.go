package auth

import (
	"context"
	"errors"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

const (
	// maxCachedClients and maxCachedUnknown bound the cache, in records.
	maxCachedClients = 10_000
	maxCachedUnknown = 10_000
	// clientCacheAge is the longest a record is used without a new read: a
	// replica that died between writing a record and telling the feed is
	// caught by it.
	clientCacheAge = time.Minute
)

// ClientCache answers client records without asking the store as long as the
// feed says that they have not changed (design §4: issuing reads nothing).
type ClientCache struct {
	store   store.Clients
	feed    *feed.Feed
	known   *otter.Cache[string, cachedClient]
	unknown *otter.Cache[string, cachedClient] // apart: a flood of made-up ids must not push out real ones
}

// cachedClient is a record, or nil for "there is none", with the view of the
// feed that was current before it was read.
type cachedClient struct {
	client *store.Client
	view   feed.View
	read   time.Time
}

// NewClientCache makes an empty cache over s.
func NewClientCache(s store.Clients, f *feed.Feed) *ClientCache {
	return &ClientCache{
		store:   s,
		feed:    f,
		known:   otter.Must(&otter.Options[string, cachedClient]{MaximumSize: maxCachedClients}),
		unknown: otter.Must(&otter.Options[string, cachedClient]{MaximumSize: maxCachedUnknown}),
	}
}

// Get answers the record, nil if there is none, and the view of the feed
// that it was good at: what is minted on it must carry that position. The
// record is shared and must not be changed. Errors: store.ErrUnavailable.
func (c *ClientCache) Get(ctx context.Context, id string) (*store.Client, feed.View, error) {
	view, err := c.feed.Fresh(ctx)
	if err != nil {
		return nil, view, err
	}
	for _, cache := range [...]*otter.Cache[string, cachedClient]{c.known, c.unknown} {
		e, ok := cache.GetIfPresent(id)
		if !ok || !c.good(id, e, view) {
			continue
		}
		if e.client == nil {
			// It may have been created at another replica a moment ago: its
			// first request must not be refused.
			if view, err = c.feed.Confirm(ctx); err != nil {
				return nil, view, err
			}
			if !c.good(id, e, view) {
				continue
			}
		}
		return e.client, view, nil
	}
	rec, err := c.store.GetClient(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		c.known.Invalidate(id)
		c.unknown.Set(id, cachedClient{view: view, read: time.Now()})
		return nil, view, nil
	}
	if err != nil {
		return nil, view, err
	}
	c.unknown.Invalidate(id)
	c.known.Set(id, cachedClient{client: &rec, view: view, read: time.Now()})
	return &rec, view, nil
}

func (c *ClientCache) good(id string, e cachedClient, view feed.View) bool {
	if time.Since(e.read) > clientCacheAge {
		return false
	}
	return e.view.Generation == view.Generation ||
		!c.feed.Changed(store.PrincipalClient(id), e.view.Position)
}
