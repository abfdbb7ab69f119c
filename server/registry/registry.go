// Package records changes what operators manage (clients, orgs, customers, partners, grants):
// by compare-and-set, told to the feed, awaited on every replica, and audited
// whatever came of it. What a record holds and what may be changed of it is
// the features'.
package registry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

const (
	// casTries is how often a change is tried again when the record was
	// changed by somebody else in the meantime.
	casTries = 5
	// changeTimeout bounds a change from the first read to the last replica.
	changeTimeout = 30 * time.Second
)

// Kind is one kind of record: how it is kept and what it is called.
type Kind[R any] struct {
	store.Kind[R]
	Store store.Records[R]
	Valid func(id string) bool
	Head  func(*R) *store.Head
	View  func(R) any // for the audit: without secrets
	// Uncached: nobody remembers that there is no such record, so the feed is
	// not told of a new one.
	Uncached bool
	// Tidy drops from a record that is written what has ended; nil: nothing.
	Tidy func(r *R, now time.Time)
	// End ends the tokens that are kept in the record itself, where the feed
	// forgets them after a day; nil: there are none.
	End func(r *R, by string, now time.Time)
	// Remove removes what belongs to a record that is about to go, and is
	// void; nil: there is nothing.
	Remove func(context.Context, R) error
}

// Registry changes the records of one kind.
type Registry[R any] struct {
	kind  Kind[R]
	feed  *feed.Feed
	audit *audit.Log
	now   func() time.Time

	absent, exists, changed, stale, unmet *apierr.Error
}

// New makes a Registry.
func New[R any](kind Kind[R], f *feed.Feed, log *audit.Log, now func() time.Time) *Registry[R] {
	article := "a"
	if kind.Name == "org" {
		article = "an"
	}
	say := func(code apierr.Code, format string, args ...any) *apierr.Error {
		return apierr.New(code, fmt.Sprintf(format, args...))
	}
	return &Registry[R]{
		kind: kind, feed: f, audit: log, now: now,
		absent:  say(apierr.NotFound, "there is no %s with this id", kind.Name),
		exists:  say(apierr.Conflict, "%s %s with this id exists already", article, kind.Name),
		changed: say(apierr.Conflict, "the %s was changed by somebody else in the meantime; try again", kind.Name),
		stale:   say(apierr.PreconditionFailed, "the %s has changed since it was read; read it again", kind.Name),
		unmet:   say(apierr.PreconditionFailed, "there is no %s with this id, and one was wanted", kind.Name),
	}
}

// Now is the time as records have it: whole seconds, UTC.
func (g *Registry[R]) Now() time.Time { return g.now().UTC().Truncate(time.Second) }

// NewHead is that of a record that is made now.
func (g *Registry[R]) NewHead() store.Head {
	now := g.Now()
	return store.Head{CreatedAt: now, UpdatedAt: now, Version: FirstVersion()}
}

// FirstVersion answers another number each time: a change that was begun for
// a deleted record must not fit the next one of the same id. It is small
// enough for every JSON parser.
func FirstVersion() uint64 { return 1 + uint64(rand.Uint32()) }

// Version returns the version of the record.
func (g *Registry[R]) Version(r R) uint64 { return g.kind.Head(&r).Version }

// Get answers one record. Errors: apierr.NotFound.
func (g *Registry[R]) Get(ctx context.Context, id string) (R, error) {
	if !g.kind.Valid(id) {
		return *new(R), g.absent
	}
	r, err := g.kind.Store.Get(ctx, id)
	return r, g.asFault(err)
}

// Announce tells the feed and waits for every replica; with no entry it does
// neither.
func (g *Registry[R]) Announce(ctx context.Context, entries ...store.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := g.feed.Append(ctx, entries...); err != nil {
		return err
	}
	return g.feed.Settle(ctx)
}

// Audit writes what came of a change of the record; actor, target and the
// kind's name before the action are added.
func (g *Registry[R]) Audit(ctx context.Context, by audit.Actor, id string, c audit.Change, err error) {
	c.Actor, c.Action, c.Target = by, g.kind.Name+"."+c.Action, g.kind.Principal(id)
	if !g.kind.Valid(id) {
		c.Target = g.kind.Principal("?") // it may be a credential that somebody pasted
	}
	c.Outcome = audit.OutcomeOf(err)
	g.audit.Write(ctx, c)
}

// Entry is the feed's entry that tells of the record, or voids its tokens.
func (g *Registry[R]) Entry(kind store.EntryKind, id string, by audit.Actor) store.Entry {
	return store.Entry{Kind: kind, Key: g.kind.Principal(id), By: by.Name}
}

func (g *Registry[R]) asFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return g.absent
	case errors.Is(err, store.ErrConflict):
		return g.changed
	}
	return fmt.Errorf("%s: %w", g.kind.Name, err)
}
