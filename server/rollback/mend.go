package rollback

import (
	"context"
	"errors"

	"github.com/grantd/grantd/store"
)

// outcome is what was done about one record.
type outcome int

const (
	untouched outcome = iota
	writtenBack
	deleted
	heldBack
	forgotten // it was made, the store lost it, and its form is not known
	damaged   // it cannot be read: nobody gets it
)

// holds are the hold that was just put, and the one that was known before; each may
// be nil. What is written back with certainty does not fall under the former, but
// what fell under the latter is not certain.
type holds struct{ put, earlier *store.Hold }

// String returns the outcome for the log.
func (o outcome) String() string {
	return [...]string{"nothing", "written back", "deleted", "held back", "lost", "damaged"}[o]
}

// mend makes the stored record r what the feed says of it: e, which is newer. It
// holds the record back if its newest form is not known.
// Errors: store.ErrConflict, store.ErrNotFound if somebody else changed it.
func mend[R any](ctx context.Context, kind store.Kind[R], s store.Records[R], r R, e *store.Entry, holds holds) (outcome, error) {
	id, stored := kind.ID(&r), kind.VersionOf(&r)
	if e.Gone {
		return deleted, s.Delete(ctx, id, stored)
	}
	if next, ok := newest(kind, id, e, holds); ok {
		return writtenBack, s.Restore(ctx, next, stored)
	}
	kind.Head(&r).HeldBack = true
	kind.SetVersion(&r, e.Version)
	return heldBack, s.Restore(ctx, r, stored)
}

// newest returns the record that the entry holds.
func newest[R any](kind store.Kind[R], id string, e *store.Entry, holds holds) (R, bool) {
	if e.Form == "" {
		return *new(R), false
	}
	r, err := kind.Unmarshal([]byte(e.Form))
	if err != nil || kind.ID(&r) != id || kind.VersionOf(&r) != e.Version {
		return *new(R), false
	}
	if h := kind.Head(&r); holds.put != nil && h != nil && !holds.earlier.Covers(kind.Name, h) {
		h.Confirmed = max(h.Confirmed, holds.put.Number)
	}
	return r, true
}

// repairOne makes one stored record what the entry says of it.
func repairOne[R any](ctx context.Context, kind store.Kind[R], s store.Records[R], id string, e *store.Entry, holds holds) (done outcome, err error) {
	for range mendTries {
		var r R
		r, err = s.Get(ctx, id)
		switch {
		case err == nil && isNewest(kind.VersionOf(&r), e):
			return untouched, nil
		case err == nil:
			done, err = mend(ctx, kind, s, r, e, holds)
		case errors.Is(err, store.ErrUnknownRecord):
			return damaged, nil
		case !changedMeanwhile(err): // not found
			return untouched, err
		case e.Gone:
			return untouched, nil
		default:
			next, ok := newest(kind, id, e, holds)
			if !ok {
				return forgotten, nil
			}
			done, err = writtenBack, s.Restore(ctx, next, 0)
		}
		if err == nil || !changedMeanwhile(err) {
			return done, err
		}
	}
	return untouched, err
}
