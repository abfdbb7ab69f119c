package registry

import (
	"context"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// HeldRecord is a record that is held back.
type HeldRecord struct {
	ID string `json:"id"`
	// Lost: the store lost a change of this record. Otherwise it falls under the
	// store's hold.
	Lost      bool      `json:"lost"`
	Ended     bool      `json:"ended,omitempty"` // before: a release changes nothing
	UpdatedAt time.Time `json:"updated_at"`
}

// Held returns up to limit records that are held back, by id, after the given
// one.
func (g *Registry[R]) Held(ctx context.Context, after string, limit int) ([]HeldRecord, error) {
	return List(ctx, g, store.Page{After: after, Limit: limit}, func(r R) (HeldRecord, bool, error) {
		h := g.kind.Head(&r)
		ended := g.kind.Ended != nil && g.kind.Ended(&r, g.now())
		return HeldRecord{g.kind.ID(&r), h.HeldBack, ended, h.UpdatedAt}, h.Held(), nil
	})
}

// Release lets the record be used again, if it is held back.
// Errors: apierr.NotFound.
func (g *Registry[R]) Release(ctx context.Context, by audit.Actor, id string) error {
	_, err := g.Change(ctx, Step[R]{
		By: by, Action: "release", ID: id,
		Edit: func(r *R) error {
			h := g.kind.Head(r)
			if !h.Held() {
				return ErrUnchanged
			}
			h.HeldBack, h.UnderHold = false, false
			if hold := g.feed.Hold(); hold != nil {
				h.Confirmed = max(h.Confirmed, hold.Number)
			}
			return nil
		},
		Recorded: func() bool { return true },
	})
	return err
}
