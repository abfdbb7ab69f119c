package registry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

const (
	// removeTime bounds one call of RemoveMembers. It ends after the page during
	// which the time passed.
	removeTime = 5 * time.Second
	// removeAtOnce is how many removals run at the same time: a store writes
	// several of them in one step.
	removeAtOnce = 16
)

// CountMembers returns how many records belong, at most limit. It reads only those of
// the group (store.Page.Group) unless that is "".
func (g *Registry[R]) CountMembers(ctx context.Context, group string, belongs func(*R) bool, limit int) (n int, err error) {
	_, err = g.eachPage(ctx, group, "", func(page []R) (bool, error) {
		for i := range page {
			if belongs(&page[i]) {
				n++
			}
		}
		return n < limit, nil
	})
	return min(n, limit), err
}

// RemoveMembers removes the records that belong, in the order of their ids,
// after the given id; see CountMembers. The tokens of these records must have ended already, by a
// void of what the records belong to. It stops after some seconds: next is then
// the id to go on after, and "" if it is done. Each removal is audited.
func (g *Registry[R]) RemoveMembers(ctx context.Context, by audit.Actor, group, after string, belongs func(*R) bool) (removed int, next string, err error) {
	began := time.Now()
	next, err = g.eachPage(ctx, group, after, func(page []R) (bool, error) {
		var members []R
		for i := range page {
			if belongs(&page[i]) {
				members = append(members, page[i])
			}
		}
		n, err := g.removePage(context.WithoutCancel(ctx), by, members, belongs)
		removed += n
		return time.Since(began) < removeTime, err
	})
	return removed, next, err
}

// eachPage calls do with the pages of records of the group after the given id until
// it returns false. next is the id to go on after; "": there are no more records.
func (g *Registry[R]) eachPage(ctx context.Context, group, after string, do func(page []R) (more bool, err error)) (next string, err error) {
	for {
		page, err := g.kind.Store.List(ctx, store.Page{Group: group, After: after, Limit: listPage})
		if err != nil {
			return after, err
		}
		more, err := do(page)
		if err != nil {
			return after, err
		}
		if len(page) < listPage {
			return "", nil
		}
		after = g.kind.ID(&page[len(page)-1])
		if !more {
			return after, nil
		}
	}
}

// removePage removes the records, tells the feed about those that a Cache may
// hold, and audits them. Others are of no use without what they belong to.
func (g *Registry[R]) removePage(ctx context.Context, by audit.Actor, members []R, belongs func(*R) bool) (removed int, err error) {
	gone := make([]uint64, len(members)) // the versions that were removed
	failed := make([]error, len(members))
	var all sync.WaitGroup
	slots := make(chan struct{}, removeAtOnce)
	for i := range members {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			gone[i], failed[i] = g.removeOne(ctx, members[i], belongs)
		})
	}
	all.Wait()
	var entries []store.Entry
	var changes []audit.Change
	for i, version := range gone {
		if version == 0 {
			continue
		}
		id := g.kind.ID(&members[i])
		entries = append(entries, g.goneEntry(id, version, by.Name))
		changes = append(changes, audit.Change{
			Actor: by, Action: g.kind.Name + ".delete", Target: g.kind.Principal(id),
			Before: g.kind.View(members[i]), Outcome: audit.OutcomeOf(nil),
		})
	}
	err = errors.Join(failed...)
	if len(entries) > 0 && !g.kind.Uncached {
		err = errors.Join(err, g.feed.Append(ctx, entries...))
	}
	if len(changes) > 0 {
		g.audit.Write(ctx, changes...)
	}
	return len(changes), err
}

// removeOne removes the record, or what somebody has made of it since, if that
// still belongs. gone is the version that the store has removed, or 0. Errors:
// apierr.Conflict: somebody changed it each time.
func (g *Registry[R]) removeOne(ctx context.Context, r R, belongs func(*R) bool) (gone uint64, err error) {
	id := g.kind.ID(&r)
	for range casTries {
		version := g.Version(r)
		err = g.kind.Store.Delete(ctx, id, version)
		if err == nil {
			return version, nil
		}
		if errors.Is(err, store.ErrConflict) {
			r, err = g.kind.Store.Get(ctx, id)
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			return 0, nil
		case err != nil:
			return 0, g.apiError(err)
		case !belongs(&r):
			return 0, nil
		}
	}
	return 0, g.changed
}
