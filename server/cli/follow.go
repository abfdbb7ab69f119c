package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

const (
	// followEvery is the time between requests for new events.
	followEvery = time.Second
	// followMost limits the events of one look. If there are more new ones, the
	// newest are shown.
	followMost = 20 * admin.MaxPage
	// settled is how long after an event has been seen no new one appears below
	// it. The nodes of a Redis Cluster that hold the two streams of the audit
	// have separate clocks.
	settled = 10 * time.Second
)

// follow prints the last events that the filter selects, and then every new one,
// each on a line. When it is interrupted, it returns nil.
func (a *app) follow(ctx context.Context, server *api, limit int, filter audit.Filter) error {
	err := a.followUntilDone(ctx, server, limit, filter)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (a *app) followUntilDone(ctx context.Context, server *api, limit int, filter audit.Filter) error {
	f := follower{server: server, seen: map[string]time.Time{}}
	if err := f.start(ctx); err != nil {
		return err
	}
	response, err := server.collectPages(ctx, auditCall(filter), "events", limit)
	if err != nil {
		return err
	}
	list, err := decode[auditList](response)
	if err != nil {
		return err
	}
	events := list.Events
	slices.Reverse(events)
	for {
		now := time.Now()
		for _, e := range events {
			if _, ok := f.seen[e.ID]; !ok {
				f.seen[e.ID] = now
			}
			if !filter.Match(e) {
				continue
			}
			if err := a.printEvent(e); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
		if events, err = f.look(ctx); err != nil {
			return err
		}
	}
}

// follower finds new events. It does not use the filter for that, because then
// the server would search the whole audit for the events that are rare.
type follower struct {
	server *api
	seen   map[string]time.Time // id → when it was first seen; zero: from the start
}

// start notes the newest events, which are not new. They are older than what is
// listed afterwards.
func (f *follower) start(ctx context.Context) error {
	return f.server.eachPage(ctx, auditCall(audit.Filter{}), "events", admin.DefaultPage, func(page []json.RawMessage) (int, error) {
		for _, item := range page {
			e, err := decode[store.AuditEvent](item)
			if err != nil {
				return 0, err
			}
			f.seen[e.ID] = time.Time{}
		}
		return 0, nil
	})
}

// look returns the events that were not seen, oldest first. It reads back to an
// event that was seen some time ago, and forgets the older ones.
func (f *follower) look(ctx context.Context) (fresh []store.AuditEvent, err error) {
	passed, read, old := map[string]time.Time{}, 0, time.Now().Add(-settled)
	err = f.server.eachPage(ctx, auditCall(audit.Filter{}), "events", admin.DefaultPage, func(page []json.RawMessage) (int, error) {
		for _, item := range page {
			e, err := decode[store.AuditEvent](item)
			if err != nil {
				return 0, err
			}
			at, ok := f.seen[e.ID]
			if ok {
				passed[e.ID] = at
			} else {
				fresh = append(fresh, e)
			}
			if read++; read == followMost || ok && at.Before(old) {
				return 0, nil
			}
		}
		return admin.MaxPage, nil
	})
	if err != nil {
		return nil, err
	}
	f.seen = passed
	slices.Reverse(fresh)
	return fresh, nil
}

// printEvent prints one event on a line: as compact JSON, or the columns of the
// table.
func (a *app) printEvent(e store.AuditEvent) error {
	if a.output == outputJSON {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		a.println("%s", b)
		return a.out.err
	}
	a.println("%s", strings.Join(auditRow(e), "  "))
	return a.out.err
}
