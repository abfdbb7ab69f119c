package registry

import (
	"context"
	"errors"
	"math"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// Create writes a new record, and tells replicas that may remember that there
// was none. Errors: apierr.Conflict.
func (g *Registry[R]) Create(ctx context.Context, by audit.Actor, r R) error {
	err := g.kind.Store.Create(ctx, r)
	if errors.Is(err, store.ErrExists) {
		return g.exists
	}
	if err != nil || g.kind.Uncached {
		return err
	}
	return g.feed.Append(ctx, g.Entry(store.EntryChange, g.kind.ID(&r), by))
}

// Put makes the record if there is none, and otherwise takes the step with the
// one that is stored. A version other than 0 in the step wants one. created
// says which it was.
// Errors: those of Change; apierr.PreconditionFailed also if there is none.
func (g *Registry[R]) Put(ctx context.Context, first R, st Step[R]) (r R, created bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	var done *audit.Change
	for range casTries {
		if st.Version == 0 {
			err = g.Create(ctx, st.By, first)
			if !errors.Is(err, g.exists) {
				g.Audit(ctx, st.By, st.ID, audit.Change{Action: "create", After: g.kind.View(first)}, err)
				return first, err == nil, err
			}
		}
		// What was there may be gone by now.
		if r, done, err = g.change(ctx, st); st.Version != 0 || !errors.Is(err, g.absent) {
			break
		}
	}
	if errors.Is(err, g.absent) {
		err = g.changed
		if st.Version != 0 { // RFC 9110 §13.1.1
			err = g.unmet
		}
	}
	if done != nil {
		g.Audit(ctx, st.By, st.ID, *done, err)
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
// Errors: apierr.NotFound, Conflict, PreconditionFailed, and those of Edit.
func (g *Registry[R]) Change(ctx context.Context, st Step[R]) (R, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	r, done, err := g.change(ctx, st)
	if done != nil {
		g.Audit(ctx, st.By, st.ID, *done, err)
	}
	return r, err
}

// change does what Change does but for the audit: that is done, unless nothing
// was.
func (g *Registry[R]) change(ctx context.Context, st Step[R]) (after R, done *audit.Change, err error) {
	before, after, err := g.write(ctx, st)
	if errors.Is(err, ErrUnchanged) {
		return before, nil, nil
	}
	if err == nil {
		var entries []store.Entry
		if st.Entries != nil {
			entries = st.Entries()
		}
		if g.unannounced(&after) {
			entries = append(entries, g.Entry(store.EntryVoid, st.ID, st.By))
		}
		if st.Unsettled {
			err = g.feed.Append(ctx, entries...)
		} else {
			err = g.Announce(ctx, entries...)
		}
	}
	if err == nil && g.unannounced(&after) {
		after = g.announced(ctx, after)
	}
	done = &audit.Change{Action: st.Action}
	if err == nil {
		done.Before, done.After = g.kind.View(before), g.kind.View(after)
		if st.After != nil {
			done.Before, done.After = nil, st.After()
		}
	}
	return after, done, err
}

func (g *Registry[R]) unannounced(r *R) bool { return g.kind.Head(r).Unannounced }

// noteAnnounced takes the note off that the feed was not told, if it was after
// all: only the note that it had been was not written.
func (g *Registry[R]) noteAnnounced(r *R) {
	h := g.kind.Head(r)
	if h.UnannouncedSince.IsZero() {
		return
	}
	if _, void := g.feed.VoidedKey(g.kind.Principal(g.kind.ID(r)), h.UnannouncedSince); void {
		h.Unannounced = false
	}
}

// announced notes that the feed has been told. If that fails, or somebody
// else has changed the record since, the next change voids once more.
func (g *Registry[R]) announced(ctx context.Context, r R) R {
	next := r
	h := g.kind.Head(&next)
	h.Unannounced, h.UnannouncedSince = false, store.Position{}
	if err := g.kind.Store.Update(ctx, next); err != nil {
		return r
	}
	g.kind.Head(&next).Version++
	return next
}

// fits says whether the record is one of the wanted version.
func (g *Registry[R]) fits(r *R, want uint64) bool {
	return want == 0 || want == AnyVersion || want == g.kind.Head(r).Version
}

func (g *Registry[R]) write(ctx context.Context, st Step[R]) (before, after R, err error) {
	for range casTries {
		if before, err = g.Get(ctx, st.ID); err != nil {
			return before, after, err
		}
		if !g.fits(&before, st.Version) {
			return before, after, g.stale
		}
		after = before
		g.noteAnnounced(&after)
		err = st.Edit(&after)
		if errors.Is(err, ErrUnchanged) && g.unannounced(&after) {
			err = nil // the try before this one changed it, and told nobody
		}
		if err != nil {
			return before, after, err
		}
		h := g.kind.Head(&after)
		h.UpdatedAt, h.UnannouncedSince = g.Now(), store.Position{}
		if h.Unannounced {
			h.UnannouncedSince = g.feed.Position()
		}
		if g.kind.Tidy != nil {
			g.kind.Tidy(&after, g.now())
		}
		err = g.kind.Store.Update(ctx, after)
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			g.kind.Head(&after).Version++
			return before, after, g.asFault(err)
		}
	}
	return before, after, g.changed
}
