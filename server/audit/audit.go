// Package audit writes the audit stream: one typed event for every change, and
// summed events for issued tokens and refused authentications. It decides nothing
// and never sees a secret or a token.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// OutcomeDone is the outcome of a change that succeeded. A failed one has its
// error code.
const OutcomeDone = "done"

// writeTimeout bounds what a store that hangs adds to a change. The events then
// go to the log.
const writeTimeout = time.Second

// Actor is the one that asks for a change.
type Actor struct {
	Name      string // uid:0, client:<id>, system
	Address   string // "" on the unix socket
	RequestID string
}

// Change is one event. Before and After show the record without secrets; nil if
// there is none.
type Change struct {
	Actor   Actor
	Action  string
	Target  string
	Before  any
	After   any
	Outcome string
	Count   int64
}

// Log appends to the audit stream.
type Log struct {
	Store store.Audit
	Now   func() time.Time
	Log   *slog.Logger
	// Failed is called with the number of events that could not be stored; may
	// be nil.
	Failed func(events int)
}

// Write appends the changes. If that fails, the changes stay made, and each event
// goes to the server's log as an error, complete. The caller is not told.
func (l *Log) Write(ctx context.Context, changes ...Change) {
	events := make([]store.AuditEvent, len(changes))
	for i, c := range changes {
		events[i] = l.event(c)
	}
	// The change is done. It must be audited even if the caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := l.Store.AppendAudit(ctx, events...); err != nil {
		if l.Failed != nil {
			l.Failed(len(events))
		}
		for _, e := range events {
			l.Log.ErrorContext(ctx, "audit: not written to the store", "error", err, "event", e)
		}
	}
}

// OutcomeOf returns the outcome of a change that ended with err: the error's
// code, or done.
func OutcomeOf(err error) string {
	var f *apierr.Error
	switch {
	case err == nil:
		return OutcomeDone
	case errors.As(err, &f):
		return string(f.Code)
	case errors.Is(err, store.ErrUnavailable):
		return string(apierr.Unavailable)
	}
	return string(apierr.ServerError)
}

func (l *Log) event(c Change) store.AuditEvent {
	if c.Outcome == "" {
		c.Outcome = OutcomeDone
	}
	return store.AuditEvent{
		Time: l.Now().UTC(), Action: c.Action, Target: c.Target, Outcome: c.Outcome, Count: c.Count,
		Actor: c.Actor.Name, Address: c.Actor.Address, RequestID: c.Actor.RequestID,
		Before: raw(c.Before), After: raw(c.After),
	}
}

func raw(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`"unprintable"`)
	}
	return b
}
