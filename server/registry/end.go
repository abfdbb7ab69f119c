package registry

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// Deactivate refuses the principal and voids its tokens, for good.
// Errors: apierr.NotFound.
func (k *Keeper[R]) Deactivate(ctx context.Context, by audit.Actor, id string) (R, error) {
	return k.Change(ctx, Step[R]{
		By: by, Action: "deactivate", ID: id,
		Edit: func(r *R) error {
			now := k.Now()
			if h := k.kind.Head(r); h.DeactivatedAt == nil {
				h.DeactivatedAt = &now
			}
			k.end(r, by, now)
			return nil
		},
	})
}

// Reactivate takes the principal in again; its old tokens stay void.
// Errors: apierr.NotFound.
func (k *Keeper[R]) Reactivate(ctx context.Context, by audit.Actor, id string) (R, error) {
	return k.Change(ctx, Step[R]{
		By: by, Action: "reactivate", ID: id,
		Edit:    func(r *R) error { k.kind.Head(r).DeactivatedAt = nil; return nil },
		Entries: func() []store.Entry { return []store.Entry{k.Entry(store.EntryChange, id, by)} },
	})
}

// VoidTokens makes every token of the principal inactive, in O(1).
// Errors: apierr.NotFound.
func (k *Keeper[R]) VoidTokens(ctx context.Context, by audit.Actor, id string) (R, error) {
	if k.kind.End != nil {
		return k.Change(ctx, Step[R]{
			By: by, Action: "void_tokens", ID: id,
			Edit: func(r *R) error { k.end(r, by, k.Now()); return nil },
		})
	}
	r, err := k.Get(ctx, id)
	if err == nil {
		err = k.Announce(ctx, k.Entry(store.EntryVoid, id, by))
	}
	k.Audited(ctx, by, id, audit.Change{Action: "void_tokens"}, err)
	return r, err
}

// end ends the tokens that the record keeps, and notes that the feed has to
// void the others.
func (k *Keeper[R]) end(r *R, by audit.Actor, now time.Time) {
	k.kind.Head(r).Unannounced = true
	if k.kind.End != nil {
		k.kind.End(r, by.Name, now)
	}
}

// Delete voids the principal's tokens, then removes the record. version 0
// means whatever is stored. Errors: apierr.NotFound, apierr.PreconditionFailed.
func (k *Keeper[R]) Delete(ctx context.Context, by audit.Actor, id string, version uint64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	r, err := k.Get(ctx, id)
	if err == nil && !k.fits(&r, version) {
		err = k.stale
	}
	before := r
	if err == nil {
		err = k.remove(ctx, by, r)
	}
	ch := audit.Change{Action: "delete"}
	if err == nil {
		ch.Before = k.kind.View(before)
	}
	k.Audited(ctx, by, id, ch, err)
	return err
}

// remove deactivates first, so that a replica that reads the record between
// void and removal refuses it, and tells the feed again when it is gone.
func (k *Keeper[R]) remove(ctx context.Context, by audit.Actor, r R) error {
	id, h, now := k.kind.ID(&r), k.kind.Head(&r), k.Now()
	h.DeactivatedAt = &now
	k.end(&r, by, now)
	h.UnannouncedSince = k.feed.Position()
	if err := k.kind.Store.Update(ctx, r); err != nil {
		return k.asFault(err)
	}
	if err := k.feed.Append(ctx, k.Entry(store.EntryVoid, id, by)); err != nil {
		return err
	}
	if k.kind.Remove != nil {
		if err := k.kind.Remove(ctx, r); err != nil {
			return err
		}
	}
	if err := k.kind.Store.Delete(ctx, id, h.Version+1); err != nil {
		return k.asFault(err)
	}
	return k.Announce(ctx, k.Entry(store.EntryVoid, id, by))
}
