package registry

import (
	"context"
	"errors"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// Create writes a new record and tells the feed (invariant 9). The caller
// audits it. Errors: apierr.Conflict if there is a record with this id.
func (g *Registry[R]) Create(ctx context.Context, by audit.Actor, r R) error {
	h := g.kind.Head(&r)
	if e, known := g.feed.Record(g.kind.Principal(g.kind.ID(&r))); known && e.Version >= h.Version { // a clock was ahead
		h.Version = e.Version + 1
	}
	err := g.kind.Store.Create(ctx, r)
	if errors.Is(err, store.ErrExists) {
		return g.exists
	}
	if err != nil || g.kind.Uncached {
		return err
	}
	return g.feed.Append(ctx, g.stateEntry(store.EntryChange, r, by.Name))
}

// Put creates the record first if there is none, and otherwise carries out the
// step on the stored one. A step with a Version requires a stored record.
// created reports which of the two happened.
// Errors: those of Change; apierr.PreconditionFailed also if there is none.
func (g *Registry[R]) Put(ctx context.Context, first R, st Step[R]) (r R, created bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	var done *audit.Change
	for range casTries {
		if st.Version == 0 {
			err = g.Create(ctx, st.By, first)
			if !errors.Is(err, g.exists) {
				g.Audit(ctx, st.By, st.ID, audit.Change{Action: "create", Target: st.target(), After: g.kind.View(first)}, err)
				return first, err == nil, err
			}
		}
		// The record that was in the way may be gone by now.
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
