package registry

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// Deactivate makes grantd refuse the principal from now on, and voids its
// tokens for good.
// Errors: apierr.NotFound.
func (g *Registry[R]) Deactivate(ctx context.Context, by audit.Actor, id string) (R, error) {
	r, err := g.Change(ctx, Step[R]{
		By: by, Action: "deactivate", ID: id,
		Edit: func(r *R) error {
			now := g.Now()
			if h := g.kind.Head(r); h.DeactivatedAt == nil {
				h.DeactivatedAt = &now
			}
			g.endTokens(r, by, now)
			return nil
		},
	})
	return r, g.endMore(ctx, by, r, err)
}

// endMore ends what Kind.EndMore does, unless there was an error.
func (g *Registry[R]) endMore(ctx context.Context, by audit.Actor, r R, err error) error {
	if err != nil || g.kind.EndMore == nil {
		return err
	}
	return g.kind.EndMore(context.WithoutCancel(ctx), by, r)
}

// Reactivate makes grantd accept the principal again. Its old tokens stay void.
// Errors: apierr.NotFound.
func (g *Registry[R]) Reactivate(ctx context.Context, by audit.Actor, id string) (R, error) {
	return g.Change(ctx, Step[R]{
		By: by, Action: "reactivate", ID: id,
		Edit: func(r *R) error {
			h := g.kind.Head(r)
			if h.Held() {
				return g.held
			}
			h.DeactivatedAt = nil
			return nil
		},
		Recorded: func() bool { return true },
	})
}

// VoidTokens makes every token of the principal inactive, in O(1).
// Errors: apierr.NotFound.
func (g *Registry[R]) VoidTokens(ctx context.Context, by audit.Actor, id string) (R, error) {
	if g.kind.End != nil {
		return g.Change(ctx, Step[R]{
			By: by, Action: "void_tokens", ID: id,
			Edit: func(r *R) error { g.endTokens(r, by, g.Now()); return nil },
		})
	}
	r, err := g.Get(ctx, id)
	if err == nil {
		err = g.Announce(ctx, g.stateEntry(store.EntryVoid, r, by.Name))
	}
	g.Audit(ctx, by, id, audit.Change{Action: "void_tokens"}, err)
	return r, g.endMore(ctx, by, r, err)
}

// endTokens ends the tokens that the record holds, and flags the record so that
// the feed voids the others.
func (g *Registry[R]) endTokens(r *R, by audit.Actor, now time.Time) {
	g.kind.Head(r).Unannounced = true
	if g.kind.End != nil {
		g.kind.End(r, by.Name, now)
	}
}

// Delete voids the principal's tokens and removes the record. version is as in
// Step. Errors: apierr.NotFound, Conflict, PreconditionFailed.
func (g *Registry[R]) Delete(ctx context.Context, by audit.Actor, id string, version uint64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	r, err := g.Get(ctx, id)
	if err == nil && !g.fits(&r, version) {
		err = g.stale
	}
	before := r
	if err == nil {
		err = g.remove(ctx, by, r)
	}
	ch := audit.Change{Action: "delete"}
	if err == nil {
		ch.Before = g.kind.View(before)
	}
	g.Audit(ctx, by, id, ch, err)
	return err
}

// remove takes the four steps of a deletion (invariant 9).
func (g *Registry[R]) remove(ctx context.Context, by audit.Actor, r R) error {
	if _, err := g.feed.Fresh(ctx); err != nil { // invariant 12
		return err
	}
	id, h, now := g.kind.ID(&r), g.kind.Head(&r), g.Now()
	h.DeactivatedAt = &now
	g.endTokens(&r, by, now)
	g.stampUnannounced(h)
	if err := g.kind.Store.Update(ctx, r); err != nil {
		return g.apiError(err)
	}
	h.Version++
	void := g.stateEntry(store.EntryVoid, r, by.Name)
	void.Form = "" // it is about to be forgotten
	if err := g.feed.Append(ctx, void); err != nil {
		return err
	}
	if g.kind.EndMore != nil {
		if err := g.feed.Settle(ctx); err != nil {
			return err
		}
		if err := g.kind.EndMore(ctx, by, r); err != nil {
			return err
		}
	}
	if g.kind.Remove != nil {
		if err := g.kind.Remove(ctx, r); err != nil {
			return err
		}
	}
	if err := g.kind.Store.Delete(ctx, id, h.Version); err != nil {
		return g.apiError(err)
	}
	return g.Announce(ctx, g.goneEntry(id, h.Version, by.Name))
}
