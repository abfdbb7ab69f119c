package cli

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/store"
)

const (
	// followEvery is the time between requests for new events.
	followEvery = time.Second
	// followMost limits the new events of one request.
	followMost = 20 * admin.MaxPage
)

// follow prints the last events and then every new one, each on a line. When
// it is interrupted, it returns nil.
func (a *app) follow(ctx context.Context, server *api, limit int) error {
	last := ""
	for first := true; ; first = false {
		most := followMost
		if first {
			most = limit
		}
		events, err := eventsAfter(ctx, server, last, most)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := a.printEvent(e); err != nil {
				return err
			}
			last = e.ID
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

// eventsAfter returns the events after the one with the ID last, oldest first.
// If there are more than most, it returns the newest ones.
func eventsAfter(ctx context.Context, server *api, last string, most int) ([]store.AuditEvent, error) {
	for limit := min(most, admin.DefaultPage); ; limit = min(limit*4, most) {
		response, err := server.collectPages(ctx, call{path: path("audit")}, "events", limit)
		if err != nil {
			return nil, err
		}
		list, err := decode[auditList](response)
		if err != nil {
			return nil, err
		}
		events := list.Events
		seen := slices.IndexFunc(events, func(e store.AuditEvent) bool { return e.ID == last })
		if seen < 0 && len(events) == limit && limit < most {
			continue // look further back
		}
		if seen >= 0 {
			events = events[:seen]
		}
		if len(events) > most {
			return nil, errors.New("the server returned more events than were requested")
		}
		slices.Reverse(events)
		return events, nil
	}
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
