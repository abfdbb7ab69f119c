// Package audit writes the audit: one typed event for every change, and gathered
// events for what clients do again and again (server/lastuse gathers them). Each
// event is also a line of the server's log. The package also has the filter that
// finds events. It decides nothing and never sees a secret or a token.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/store"
)

// OutcomeDone is the outcome of a change that succeeded. A failed one has its
// error code. OutcomeUnconfirmed: it is in force, and a failover of Redis could
// still undo it.
const (
	OutcomeDone        = "done"
	OutcomeUnconfirmed = "unconfirmed"
)

const (
	// writeTimeout bounds what a store that hangs adds to a change. The events
	// then go to the log.
	writeTimeout = time.Second
	// writeAtOnce is how many events one call of the store gets.
	writeAtOnce = 500
)

// Bounds of the members of an event, in bytes. Nothing that grantd makes itself
// comes near to them; what a caller sends may.
const (
	maxText = 320       // the longest target is a grant's, with two ids of 128 bytes
	maxView = 256 << 10 // of Before and After each
)

// Actor is the one that asks for a change.
type Actor struct {
	Name      string // uid:0, client:<id>, system
	Address   string // "" on the unix socket
	RequestID string
}

// Change is one event. Before and After show the record without secrets; nil if
// there is none.
type Change struct {
	Actor     Actor
	Action    string
	Target    string
	Before    any
	After     any
	Outcome   string
	Traffic   bool      // done by a client, a customer or a partner: see store.AuditEvent
	Count     int64     // how many events this one represents; 0: one
	Since     time.Time // the first of them
	Addresses int64     // about how many addresses they came from, if several
}

// Log appends to the audit.
type Log struct {
	Store store.Audit
	Now   func() time.Time
	Log   *slog.Logger
	// Failed is called with the number of events that could not be stored; may
	// be nil.
	Failed func(events int)
	// IsUnconfirmed reports whether changes are not confirmed yet, as
	// store.Store has it; nil: they always are.
	IsUnconfirmed func() bool
}

// Write writes a line for each change to the server's log, and appends the
// changes to the audit. If that fails, the changes stay made, and each event goes
// to the log once more, as an error and complete. The caller is not told.
func (l *Log) Write(ctx context.Context, changes ...Change) {
	events := make([]store.AuditEvent, len(changes))
	for i, c := range changes {
		events[i] = l.event(c)
	}
	l.logEvents(ctx, events)
	for len(events) > 0 {
		n := min(len(events), writeAtOnce)
		if err := l.append(ctx, events[:n]); err != nil {
			l.fail(ctx, events, err)
			return
		}
		events = events[n:]
	}
}

func (l *Log) append(ctx context.Context, events []store.AuditEvent) error {
	// The change is done. It must be audited even if the caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return l.Store.AppendAudit(ctx, events...)
}

func (l *Log) fail(ctx context.Context, events []store.AuditEvent, err error) {
	if l.Failed != nil {
		l.Failed(len(events))
	}
	for _, e := range events {
		l.Log.ErrorContext(ctx, "audit: not written to the store", "error", err, "event", e)
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
	if (c.Outcome == "" || c.Outcome == OutcomeDone) && !c.Traffic && l.IsUnconfirmed != nil && l.IsUnconfirmed() {
		c.Outcome = OutcomeUnconfirmed
	}
	return EventOf(c, l.Now())
}

// EventOf returns the event of a change at the time now.
func EventOf(c Change, now time.Time) store.AuditEvent {
	if c.Outcome == "" {
		c.Outcome = OutcomeDone
	}
	return store.AuditEvent{
		Time: now.UTC(), Action: c.Action, Target: clip(c.Target), Outcome: c.Outcome, Traffic: c.Traffic,
		Count: c.Count, Since: c.Since, Addresses: c.Addresses,
		Actor: clip(c.Actor.Name), Address: clip(c.Actor.Address), RequestID: clip(c.Actor.RequestID),
		Before: raw(c.Before), After: raw(c.After),
	}
}

// clip returns s, shortened if it is too long: an id in a path can be.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

func raw(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`"unprintable"`)
	}
	if len(b) > maxView {
		return tooLarge(len(b))
	}
	return b
}
