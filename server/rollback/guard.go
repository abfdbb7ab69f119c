package rollback

import (
	"context"
	"errors"
	"fmt"

	"github.com/grantd/grantd/store"
)

// Feed is what Guard needs of server/feed.
type Feed interface {
	Record(key string) (store.Entry, bool)
	Hold() *store.Hold
}

// Guard returns s with records that are never older than the feed knows, and
// that say whether they are held back (store.Head.Held).
func Guard(s store.Store, f Feed) store.Store {
	return &guarded{
		Store:     s,
		clients:   guard(store.ClientKind, s.Clients(), f),
		orgs:      guard(store.OrgKind, s.Orgs(), f),
		customers: guard(store.CustomerKind, s.Customers(), f),
		partners:  guard(store.PartnerKind, s.Partners(), f),
		grants:    guard(store.GrantKind, s.Grants(), f),
	}
}

type guarded struct {
	store.Store
	clients   records[store.Client]
	orgs      records[store.Org]
	customers records[store.Customer]
	partners  records[store.Partner]
	grants    records[store.Grant]
}

func (g *guarded) Clients() store.Clients     { return &g.clients }
func (g *guarded) Orgs() store.Orgs           { return &g.orgs }
func (g *guarded) Customers() store.Customers { return &g.customers }
func (g *guarded) Partners() store.Partners   { return &g.partners }
func (g *guarded) Grants() store.Grants       { return &g.grants }

// records are the guarded records of one kind.
type records[R any] struct {
	store.Records[R]
	kind store.Kind[R]
	feed Feed
}

func guard[R any](kind store.Kind[R], s store.Records[R], f Feed) records[R] {
	return records[R]{s, kind, f}
}

// mendTries is how often a record is read again because others changed it
// meanwhile.
const mendTries = 5

// Get returns the record in its newest state.
func (g *records[R]) Get(ctx context.Context, id string) (R, error) {
	for range mendTries {
		r, err := g.Records.Get(ctx, id)
		if err != nil {
			return r, err
		}
		e, known := g.feed.Record(g.kind.Principal(id))
		if !known || isNewest(g.kind.VersionOf(&r), &e) {
			g.feed.Hold().Mark(g.kind.Name, g.kind.Head(&r))
			return r, nil
		}
		if _, err := mend(ctx, g.kind, g.Records, r, &e, nil); err != nil && !changedMeanwhile(err) {
			return r, fmt.Errorf("mend an old %s: %w", g.kind.Name, err)
		}
	}
	return *new(R), fmt.Errorf("mend an old %s: it changed again and again: %w", g.kind.Name, store.ErrUnavailable)
}

// List returns the records of the page in their newest state. It reads those that
// are older one by one.
func (g *records[R]) List(ctx context.Context, p store.Page) ([]R, error) {
	list, err := g.Records.List(ctx, p)
	hold, kept := g.feed.Hold(), list[:0]
	for i := range list {
		r := list[i]
		id := g.kind.ID(&r)
		if e, known := g.feed.Record(g.kind.Principal(id)); known && !isNewest(g.kind.VersionOf(&r), &e) {
			if r, err = g.Get(ctx, id); errors.Is(err, store.ErrNotFound) {
				r, err = list[i], nil
				g.kind.Head(&r).DeactivatedAt = &e.At // a list that is short means its end
			}
			if err != nil {
				return nil, err
			}
		}
		hold.Mark(g.kind.Name, g.kind.Head(&r))
		kept = append(kept, r)
	}
	return kept, err
}

// isNewest reports whether a record with the version is what e says, or newer.
func isNewest(version uint64, e *store.Entry) bool {
	return version > e.Version || version == e.Version && !e.Gone
}

func changedMeanwhile(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists)
}
