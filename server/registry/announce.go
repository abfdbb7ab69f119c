package registry

import (
	"context"

	"github.com/grantd/grantd/store"
)

// announce tells the feed about a record that was written, waits for the
// replicas, and removes the flag Unannounced from the record.
func (g *Registry[R]) announce(ctx context.Context, st Step[R], r R) (R, error) {
	var entries []store.Entry
	if st.Entries != nil {
		entries = st.Entries()
	}
	void := g.kind.Head(&r).Unannounced
	if !g.kind.Uncached || void || st.Recorded != nil && st.Recorded() {
		kind := store.EntryChange
		if void {
			kind = store.EntryVoid
		}
		entries = append(entries, g.stateEntry(kind, r, st.By.Name))
	}
	tell := g.Announce
	if st.Unsettled {
		tell = g.feed.Append
	}
	if err := tell(ctx, entries...); err != nil {
		return r, err
	}
	if void {
		r = g.storeAnnounced(ctx, r)
	}
	return r, nil
}

// stampUnannounced records since when the feed may lack the void: the position
// from before the write (invariant 4).
func (g *Registry[R]) stampUnannounced(h *store.Head) {
	h.UnannouncedSince = store.Position{}
	if h.Unannounced {
		h.UnannouncedSince = g.feed.Position()
	}
}

// storeAnnounced removes the flag from the stored record. If that fails, or if
// someone else has changed the record since, the next change deals with it.
func (g *Registry[R]) storeAnnounced(ctx context.Context, r R) R {
	next := r
	h := g.kind.Head(&next)
	h.Unannounced, h.UnannouncedSince = false, store.Position{}
	if err := g.kind.Store.Update(ctx, next); err != nil {
		return r
	}
	h.Version++
	return next
}

// checkAnnounced removes the flag from a record that was read if the feed holds
// the void: an earlier change told the feed, but could not remove the flag.
func (g *Registry[R]) checkAnnounced(r *R) {
	h := g.kind.Head(r)
	if h.UnannouncedSince.IsZero() {
		return
	}
	if _, void := g.feed.VoidedKey(g.kind.Principal(g.kind.ID(r)), h.UnannouncedSince); void {
		h.Unannounced = false
	}
}
