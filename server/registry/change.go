package registry

import (
	"context"
	"errors"
	"math"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

// AnyVersion as Step.Version fits every stored record, but requires that there
// is one (RFC 9110 §13.1.1, If-Match: *).
const AnyVersion uint64 = math.MaxUint64

// Step is one change of one record.
type Step[R any] struct {
	By      audit.Actor
	Action  string // a verb; the audit puts the kind before it: client.update
	ID      string
	Version uint64 // the version that the record must have; 0: any, or none
	// Edit changes the record in place. It may run several times. It sets
	// Head.Unannounced if tokens must end.
	Edit func(*R) error
	// Entries returns what to append to the feed, besides that the record has
	// changed, once Edit has run. nil: nothing.
	Entries func() []store.Entry
	// Recorded reports, once Edit has run, whether the feed is told also if no
	// cache holds the record, because the change ends something; nil: no.
	Recorded  func() bool
	Unsettled bool       // do not wait for the replicas: the caller does so, once for many changes
	After     func() any // what the audit shows; nil: the record before and after
	// Target returns, once Edit has run, the target of the audit event; nil or "": the
	// record.
	Target func() string
}

// ErrUnchanged is what Edit returns if there is nothing to write. The change
// then succeeds, and nothing goes into the feed or the audit.
var ErrUnchanged = errors.New("unchanged")

// Change carries out the step: it reads, edits and writes the record, tells the
// feed, waits for the other replicas, and audits the outcome. It returns the
// record as it is stored afterward.
// Errors: apierr.NotFound, Conflict, PreconditionFailed, and those of Edit.
func (g *Registry[R]) Change(ctx context.Context, st Step[R]) (R, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout) // invariant 10
	defer cancel()
	r, done, err := g.change(ctx, st)
	if done != nil {
		g.Audit(ctx, st.By, st.ID, *done, err)
	}
	return r, err
}

func (st Step[R]) target() string {
	if st.Target == nil {
		return ""
	}
	return st.Target()
}

// change carries out the step without the audit: done is the event to write, or
// nil if nothing changed.
func (g *Registry[R]) change(ctx context.Context, st Step[R]) (after R, done *audit.Change, err error) {
	before, after, err := g.write(ctx, st)
	if errors.Is(err, ErrUnchanged) {
		return before, nil, g.retell(ctx, st, before)
	}
	if err == nil {
		after, err = g.announce(ctx, st, after)
	}
	done = &audit.Change{Action: st.Action, Target: st.target()}
	if err == nil {
		done.Before, done.After = g.kind.View(before), g.kind.View(after)
		if st.After != nil {
			done.Before, done.After = nil, st.After()
		}
	}
	return after, done, err
}

// write reads, edits and writes the record (invariant 2). after has the
// version that is stored now.
func (g *Registry[R]) write(ctx context.Context, st Step[R]) (before, after R, err error) {
	if _, err = g.feed.Fresh(ctx); err != nil { // invariant 12
		return before, after, err
	}
	for range casTries {
		if before, err = g.Get(ctx, st.ID); err != nil {
			return before, after, err
		}
		if !g.fits(&before, st.Version) {
			return before, after, g.stale
		}
		after = before
		g.checkAnnounced(&after)
		err = st.Edit(&after)
		if errors.Is(err, ErrUnchanged) && g.kind.Head(&after).Unannounced {
			err = nil // an earlier call made this change and did not reach the feed
		}
		if err != nil {
			return before, after, err
		}
		h := g.kind.Head(&after)
		h.UpdatedAt = g.Now()
		g.stampUnannounced(h)
		if g.kind.Tidy != nil {
			g.kind.Tidy(&after, g.now())
		}
		err = g.kind.Store.Update(ctx, after)
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			h.Version++
			return before, after, g.apiError(err)
		}
	}
	return before, after, g.changed
}

// fits reports whether the record has the wanted version.
func (g *Registry[R]) fits(r *R, want uint64) bool {
	return want == 0 || want == AnyVersion || want == g.kind.Head(r).Version
}
