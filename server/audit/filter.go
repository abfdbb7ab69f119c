package audit

import (
	"errors"
	"time"

	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/store"
)

// Filter selects events. A zero member selects all.
type Filter struct {
	Actor  string
	Action string
	Target string
	// RequestID is that of one request; gathered events have none.
	RequestID string
	Since     time.Time // events that are not over before it
	Until     time.Time // events that began before it
}

// clockSkew is how much the times of events may be out of the order of the
// audit: each replica has its own clock.
const clockSkew = 10 * time.Minute

// IsZero reports whether the filter selects all events.
func (f Filter) IsZero() bool { return f == Filter{} }

// Match reports whether the filter selects the event. A gathered event is in
// the time from its first occurrence until it was written.
func (f Filter) Match(e store.AuditEvent) bool {
	began := e.Time
	if !e.Since.IsZero() {
		began = e.Since
	}
	return (f.Actor == "" || f.Actor == e.Actor) &&
		(f.Action == "" || f.Action == e.Action) &&
		(f.Target == "" || f.Target == e.Target) &&
		(f.RequestID == "" || f.RequestID == e.RequestID) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Until.IsZero() || began.Before(f.Until))
}

// EndsAt reports whether the filter selects no event that is older than e.
func (f Filter) EndsAt(e store.AuditEvent) bool {
	return !f.Since.IsZero() && e.Time.Before(f.Since.Add(-clockSkew))
}

var errTime = errors.New("must be a time such as 2026-01-31T08:00:00Z, or how long ago it was, such as 24h or 7d")

// ParseTime reads a time of a filter: RFC 3339, or a duration before now.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := field.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 {
		return time.Time{}, errTime
	}
	return t, nil
}
