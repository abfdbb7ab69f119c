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
	// followEvery is how often new events are asked for.
	followEvery = time.Second
	// followMost bounds what is caught up with at once.
	followMost = 20 * admin.MaxPage
)

// follow prints the last events, and then every new one, a line each, until
// it is interrupted, which is how it ends well.
func (a *app) follow(ctx context.Context, server *api, limit int) error {
	last := ""
	for first := true; ; first = false {
		most := followMost
		if first {
			most = limit
		}
		events, err := newer(ctx, server, last, most)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := a.eventLine(e); err != nil {
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

// newer answers the events after the one with the id last, oldest first, at
// most the newest most of them.
func newer(ctx context.Context, server *api, last string, most int) ([]store.AuditEvent, error) {
	for limit := min(most, admin.DefaultPage); ; limit = min(limit*4, most) {
		answer, err := server.pages(ctx, call{path: path("audit")}, "events", limit)
		if err != nil {
			return nil, err
		}
		list, err := decode[auditList](answer)
		if err != nil {
			return nil, err
		}
		events := list.Events
		seen := slices.IndexFunc(events, func(e store.AuditEvent) bool { return e.ID == last })
		if seen < 0 && len(events) == limit && limit < most {
			continue // the last one is further back, or more are wanted
		}
		if seen >= 0 {
			events = events[:seen]
		}
		if len(events) > most {
			return nil, errors.New("the server answered more events than were asked for")
		}
		slices.Reverse(events)
		return events, nil
	}
}

// eventLine prints one event as it comes: compact JSON, or what the table has
// in its columns.
func (a *app) eventLine(e store.AuditEvent) error {
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
