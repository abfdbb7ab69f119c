package rollback

import (
	"context"

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
)

// mend makes the stored record r what the feed says of it: e, which is newer. It
// holds the record back if its newest form is not known. hold is the one that was
// just put, or nil: what is written back with certainty does not fall under it.
// Errors: store.ErrConflict, store.ErrNotFound if somebody else changed it.
func mend[R any](ctx context.Context, kind store.Kind[R], s store.Records[R], r R, e *store.Entry, hold *store.Hold) (outcome, error) {
	id, stored := kind.ID(&r), kind.VersionOf(&r)
	if e.Gone {
		return deleted, s.Delete(ctx, id, stored)
	}
	if next, ok := newest(kind, id, e, hold); ok {
		return writtenBack, s.Restore(ctx, next, stored)
	}
	kind.Head(&r).HeldBack = true
	kind.SetVersion(&r, e.Version)
	return heldBack, s.Restore(ctx, r, stored)
}

// newest returns the record that the entry holds.
func newest[R any](kind store.Kind[R], id string, e *store.Entry, hold *store.Hold) (R, bool) {
	if e.Form == "" {
		return *new(R), false
	}
	r, err := kind.Unmarshal([]byte(e.Form))
	if err != nil || kind.ID(&r) != id || kind.VersionOf(&r) != e.Version {
		return *new(R), false
	}
	if h := kind.Head(&r); hold != nil && h != nil {
		h.Confirmed = max(h.Confirmed, hold.Number)
	}
	return r, true
}

// repairOne makes one stored record what the entry says of it.
func repairOne[R any](ctx context.Context, kind store.Kind[R], s store.Records[R], id string, e *store.Entry, hold *store.Hold) (done outcome, err error) {
	for range mendTries {
		var r R
		r, err = s.Get(ctx, id)
		switch {
		case err == nil && isNewest(kind.VersionOf(&r), e):
			return untouched, nil
		case err == nil:
			done, err = mend(ctx, kind, s, r, e, hold)
		case !changedMeanwhile(err): // not found
			return untouched, err
		case e.Gone:
			return untouched, nil
		default:
			next, ok := newest(kind, id, e, hold)
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
