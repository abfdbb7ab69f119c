package rollback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/grantd/grantd/store"
)

// Feed is what Guard needs of server/feed.
type Feed interface {
	Record(key string) (store.Entry, bool)
	Hold() *store.Hold
}

// Guard returns s with records that are never older than the feed knows, and
// that say whether they are held back (store.Head.Held).
func Guard(s store.Store, f Feed, log *slog.Logger) store.Store {
	return &guarded{
		Store:     s,
		clients:   records[store.Client]{s.Clients(), store.ClientKind, f, log},
		orgs:      records[store.Org]{s.Orgs(), store.OrgKind, f, log},
		customers: records[store.Customer]{s.Customers(), store.CustomerKind, f, log},
		partners:  records[store.Partner]{s.Partners(), store.PartnerKind, f, log},
		apiKeys:   records[store.APIKey]{s.APIKeys(), store.APIKeyKind, f, log},
		grants:    records[store.Grant]{s.Grants(), store.GrantKind, f, log},
		signing:   records[store.SigningKeys]{s.SigningKeys(), store.SigningKeysKind, f, log},
	}
}

type guarded struct {
	store.Store
	clients   records[store.Client]
	orgs      records[store.Org]
	customers records[store.Customer]
	partners  records[store.Partner]
	apiKeys   records[store.APIKey]
	grants    records[store.Grant]
	signing   records[store.SigningKeys]
}

func (g *guarded) Clients() store.Clients     { return &g.clients }
func (g *guarded) Orgs() store.Orgs           { return &g.orgs }
func (g *guarded) Customers() store.Customers { return &g.customers }
func (g *guarded) Partners() store.Partners   { return &g.partners }
func (g *guarded) APIKeys() store.APIKeys     { return &g.apiKeys }
func (g *guarded) Grants() store.Grants       { return &g.grants }

func (g *guarded) SigningKeys() store.SigningKeyRecords { return &g.signing }

// records are the guarded records of one kind.
type records[R any] struct {
	store.Records[R]
	kind store.Kind[R]
	feed Feed
	log  *slog.Logger
}

// mendTries is how often a record is read again because others changed it
// meanwhile.
const mendTries = 5

// Get returns the record in its newest state.
func (g *records[R]) Get(ctx context.Context, id string) (R, error) {
	for range mendTries {
		r, err := g.Records.Get(ctx, id)
		e, known := g.feed.Record(g.kind.Principal(id)) // for nobody too: an unknown id takes as long
		hold := g.feed.Hold()
		if err != nil {
			return r, err
		}
		if !known || isNewest(g.kind.VersionOf(&r), &e) {
			hold.Mark(g.kind.Name, g.kind.Head(&r))
			return r, nil
		}
		done, err := mend(ctx, g.kind, g.Records, r, &e, holds{})
		switch {
		case err == nil:
			g.log.WarnContext(ctx, "store: a record was older than it must be", "record", e.Key, "done", done.String())
		case !changedMeanwhile(err):
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
