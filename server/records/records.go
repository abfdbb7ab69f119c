// Package records changes what operators manage (clients, orgs, customers, partners, grants):
// by compare-and-set, told to the feed, awaited on every replica, and audited
// whatever came of it. What a record holds and what may be changed of it is
// the features'.
package records

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/fault"
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
	store.Records[R]
	Store     store.RecordSet[R]
	Principal func(id string) string
	Valid     func(id string) bool
	Head      func(*R) *store.Head
	View      func(R) any // for the audit: without secrets
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

// Keeper changes the records of one kind.
type Keeper[R any] struct {
	kind  Kind[R]
	feed  *feed.Feed
	audit *audit.Log
	now   func() time.Time

	absent, exists, changed, stale, unmet *fault.Error
}

// NewKeeper makes a Keeper.
func NewKeeper[R any](kind Kind[R], f *feed.Feed, log *audit.Log, now func() time.Time) *Keeper[R] {
	article := "a"
	if kind.Name == "org" {
		article = "an"
	}
	say := func(code fault.Code, format string, args ...any) *fault.Error {
		return fault.New(code, fmt.Sprintf(format, args...))
	}
	return &Keeper[R]{
		kind: kind, feed: f, audit: log, now: now,
		absent:  say(fault.NotFound, "there is no %s with this id", kind.Name),
		exists:  say(fault.Conflict, "%s %s with this id exists already", article, kind.Name),
		changed: say(fault.Conflict, "the %s was changed by somebody else in the meantime; try again", kind.Name),
		stale:   say(fault.PreconditionFailed, "the %s has changed since it was read; read it again", kind.Name),
		unmet:   say(fault.PreconditionFailed, "there is no %s with this id, and one was wanted", kind.Name),
	}
}

// Now is the time as records have it: whole seconds, UTC.
func (k *Keeper[R]) Now() time.Time { return k.now().UTC().Truncate(time.Second) }

// NewHead is that of a record that is made now.
func (k *Keeper[R]) NewHead() store.Head {
	now := k.Now()
	return store.Head{CreatedAt: now, UpdatedAt: now, Version: FirstVersion()}
}

// FirstVersion answers another number each time: a change that was begun for
// a deleted record must not fit the next one of the same id. It is small
// enough for every JSON parser.
func FirstVersion() uint64 { return 1 + uint64(rand.Uint32()) }

// Get answers one record. Errors: fault.NotFound.
func (k *Keeper[R]) Get(ctx context.Context, id string) (R, error) {
	if !k.kind.Valid(id) {
		return *new(R), k.absent
	}
	r, err := k.kind.Store.Get(ctx, id)
	return r, k.asFault(err)
}

// Create writes a new record, and tells replicas that may remember that there
// was none. Errors: fault.Conflict.
func (k *Keeper[R]) Create(ctx context.Context, by audit.Actor, r R) error {
	err := k.kind.Store.Create(ctx, r)
	if errors.Is(err, store.ErrExists) {
		return k.exists
	}
	if err != nil || k.kind.Uncached {
		return err
	}
	return k.feed.Append(ctx, k.Entry(store.EntryChange, k.kind.ID(&r), by))
}

// Put makes the record if there is none, and otherwise takes the step with the
// one that is stored. A version other than 0 in the step wants one. created
// says which it was.
// Errors: those of Change; fault.PreconditionFailed also if there is none.
func (k *Keeper[R]) Put(ctx context.Context, first R, st Step[R]) (r R, created bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	var done *audit.Change
	for range casTries {
		if st.Version == 0 {
			err = k.Create(ctx, st.By, first)
			if !errors.Is(err, k.exists) {
				k.Audited(ctx, st.By, st.ID, audit.Change{Action: "create", After: k.kind.View(first)}, err)
				return first, err == nil, err
			}
		}
		// What was there may be gone by now.
		if r, done, err = k.change(ctx, st); st.Version != 0 || !errors.Is(err, k.absent) {
			break
		}
	}
	if errors.Is(err, k.absent) {
		err = k.changed
		if st.Version != 0 { // RFC 9110 §13.1.1
			err = k.unmet
		}
	}
	if done != nil {
		k.Audited(ctx, st.By, st.ID, *done, err)
	}
	return r, false, err
}

// AnyVersion, where a version is wanted, is whatever is stored, but something
// (RFC 9110 §13.1.1, If-Match: *).
const AnyVersion uint64 = math.MaxUint64

// Step is one change of a record.
type Step[R any] struct {
	By        audit.Actor
	Action    string // the verb, as in client.update
	ID        string
	Version   uint64 // the one that is wanted; 0: whatever is stored
	Edit      func(*R) error
	Entries   func() []store.Entry // for the feed, after Edit has run; none: nobody caches it, or it is Unannounced
	Unsettled bool                 // the caller waits for the other replicas, once for many
	After     func() any           // what the audit shows; nil: the record
}

// ErrUnchanged is what Edit answers if there is nothing to write: the change
// is done then, and nobody is told.
var ErrUnchanged = errors.New("unchanged")

// Change reads, edits and writes a record by compare-and-set, tells the feed,
// waits for the other replicas, and audits whatever came of it. Once begun it
// does not end with the caller: a record that was written and not announced
// would be used from caches.
// Errors: fault.NotFound, Conflict, PreconditionFailed, and those of Edit.
func (k *Keeper[R]) Change(ctx context.Context, st Step[R]) (R, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	r, done, err := k.change(ctx, st)
	if done != nil {
		k.Audited(ctx, st.By, st.ID, *done, err)
	}
	return r, err
}

// change does what Change does but for the audit: that is done, unless nothing
// was.
func (k *Keeper[R]) change(ctx context.Context, st Step[R]) (after R, done *audit.Change, err error) {
	before, after, err := k.write(ctx, st)
	if errors.Is(err, ErrUnchanged) {
		return before, nil, nil
	}
	if err == nil {
		var entries []store.Entry
		if st.Entries != nil {
			entries = st.Entries()
		}
		if k.unannounced(&after) {
			entries = append(entries, k.Entry(store.EntryVoid, st.ID, st.By))
		}
		if st.Unsettled {
			err = k.feed.Append(ctx, entries...)
		} else {
			err = k.Announce(ctx, entries...)
		}
	}
	if err == nil && k.unannounced(&after) {
		after = k.announced(ctx, after)
	}
	done = &audit.Change{Action: st.Action}
	if err == nil {
		done.Before, done.After = k.kind.View(before), k.kind.View(after)
		if st.After != nil {
			done.Before, done.After = nil, st.After()
		}
	}
	return after, done, err
}

func (k *Keeper[R]) unannounced(r *R) bool { return k.kind.Head(r).Unannounced }

// noteAnnounced takes the note off that the feed was not told, if it was after
// all: only the note that it had been was not written.
func (k *Keeper[R]) noteAnnounced(r *R) {
	h := k.kind.Head(r)
	if h.UnannouncedSince.IsZero() {
		return
	}
	if _, void := k.feed.VoidedKey(k.kind.Principal(k.kind.ID(r)), h.UnannouncedSince); void {
		h.Unannounced = false
	}
}

// announced notes that the feed has been told. If that fails, or somebody
// else has changed the record since, the next change voids once more.
func (k *Keeper[R]) announced(ctx context.Context, r R) R {
	next := r
	h := k.kind.Head(&next)
	h.Unannounced, h.UnannouncedSince = false, store.Position{}
	if err := k.kind.Store.Update(ctx, next); err != nil {
		return r
	}
	k.kind.Head(&next).Version++
	return next
}

// fits says whether the record is one of the wanted version.
func (k *Keeper[R]) fits(r *R, want uint64) bool {
	return want == 0 || want == AnyVersion || want == k.kind.Head(r).Version
}

func (k *Keeper[R]) write(ctx context.Context, st Step[R]) (before, after R, err error) {
	for range casTries {
		if before, err = k.Get(ctx, st.ID); err != nil {
			return before, after, err
		}
		if !k.fits(&before, st.Version) {
			return before, after, k.stale
		}
		after = before
		k.noteAnnounced(&after)
		err = st.Edit(&after)
		if errors.Is(err, ErrUnchanged) && k.unannounced(&after) {
			err = nil // the try before this one changed it, and told nobody
		}
		if err != nil {
			return before, after, err
		}
		h := k.kind.Head(&after)
		h.UpdatedAt, h.UnannouncedSince = k.Now(), store.Position{}
		if h.Unannounced {
			h.UnannouncedSince = k.feed.Position()
		}
		if k.kind.Tidy != nil {
			k.kind.Tidy(&after, k.now())
		}
		err = k.kind.Store.Update(ctx, after)
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			k.kind.Head(&after).Version++
			return before, after, k.asFault(err)
		}
	}
	return before, after, k.changed
}

// Announce tells the feed and waits for every replica; with no entry it does
// neither.
func (k *Keeper[R]) Announce(ctx context.Context, entries ...store.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := k.feed.Append(ctx, entries...); err != nil {
		return err
	}
	return k.feed.Settle(ctx)
}

// Audited writes what came of a change of the record; actor, target and the
// kind's name before the action are added.
func (k *Keeper[R]) Audited(ctx context.Context, by audit.Actor, id string, c audit.Change, err error) {
	c.Actor, c.Action, c.Target = by, k.kind.Name+"."+c.Action, k.kind.Principal(id)
	if !k.kind.Valid(id) {
		c.Target = k.kind.Principal("?") // it may be a credential that somebody pasted
	}
	c.Outcome = audit.OutcomeOf(err)
	k.audit.Write(ctx, c)
}

// Entry is the feed's entry that tells of the record, or voids its tokens.
func (k *Keeper[R]) Entry(kind store.EntryKind, id string, by audit.Actor) store.Entry {
	return store.Entry{Kind: kind, Key: k.kind.Principal(id), By: by.Name}
}

func (k *Keeper[R]) asFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return k.absent
	case errors.Is(err, store.ErrConflict):
		return k.changed
	}
	return fmt.Errorf("%s: %w", k.kind.Name, err)
}
