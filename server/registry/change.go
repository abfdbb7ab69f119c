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
// Errors: those of Change; apierr.PreconditionFailed also if there is none.
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
// Errors: apierr.NotFound, Conflict, PreconditionFailed, and those of Edit.
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
