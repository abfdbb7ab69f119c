// Package audit writes the audit stream: one typed event for every change
// and for what is gathered of issues and refused authentications. It does
// not decide anything and never sees a secret or a token.
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

// OutcomeDone is the outcome of what succeeded; failures have an error code.
const OutcomeDone = "done"

// writeTimeout bounds what a store that hangs adds to a change: its events go
// to the log then.
const writeTimeout = time.Second

// Actor is who asks for a change, from where.
type Actor struct {
	Name      string // uid:0, client:<id>, system
	Address   string // "" on the unix socket
	RequestID string
}

// Change is one change to be audited. Before and After are what is shown of
// the record, without secrets; nil where there is none.
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
	// Failed is told how many events the store did not take; nil: nobody is.
	Failed func(events int)
}

// Write appends the changes. A change that was made and could not be audited
// stands: its event goes to the server's log as an error instead, whole, so
// that nothing is lost with the answer to the caller.
func (l *Log) Write(ctx context.Context, changes ...Change) {
	events := make([]store.AuditEvent, len(changes))
	for i, c := range changes {
		events[i] = l.event(c)
	}
	// The change is done: the caller's patience must not decide about this.
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

// OutcomeOf is the outcome that an error means: its code, or done.
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
