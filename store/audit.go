package store

import (
	"encoding/json"
	"strings"
	"time"
)

// AuditEvent is one entry of the audit. It never holds a token or a secret.
//
// Events are in two streams, so that traffic cannot push out what operators did:
// one of changes by operators, and one of traffic, which is what clients,
// customers and partners do. Each is bounded on its own.
type AuditEvent struct {
	ID        string          `json:"id"`                // set by the store: a place in the order of both streams
	Time      time.Time       `json:"time"`              // when it was written
	Since     time.Time       `json:"since,omitzero"`    // the first of Count, if Count is more than 1
	Action    string          `json:"action"`            // what was done: client.create, token.issue, …
	Actor     string          `json:"actor"`             // uid:0, client:<id>, anonymous, system
	Address   string          `json:"address,omitempty"` // the last one, if there were several
	Addresses int64           `json:"addresses,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
	Target    string          `json:"target,omitempty"` // client:<id>, token:<jti>, …
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Outcome   string          `json:"outcome"`         // done, or the error's code
	Count     int64           `json:"count,omitempty"` // how many events this one represents; 0: one
	Traffic   bool            `json:"-"`               // which stream the event is in
}

// trafficMark ends the ids of traffic. Ids of changes are those that the audit
// had when it was one stream.
const trafficMark = "t"

// AuditID returns the id of the event at a position of its stream.
func AuditID(position string, traffic bool) string {
	if traffic {
		return position + trafficMark
	}
	return position
}

// CutAuditID returns the parts of an id. It does not check the position.
func CutAuditID(id string) (position string, traffic bool) {
	return strings.CutSuffix(id, trafficMark)
}

// SplitAudit returns the events of each stream, in their order.
func SplitAudit(events []AuditEvent) (changes, traffic []AuditEvent) {
	for _, e := range events {
		if e.Traffic {
			traffic = append(traffic, e)
		} else {
			changes = append(changes, e)
		}
	}
	return changes, traffic
}

// MergeAudit returns up to limit events of the two streams, each newest first,
// in the order of both: by position, and traffic first where that is the same.
// So the event before which a page begins has a place in both streams.
func MergeAudit(changes, traffic []AuditEvent, limit int, position func(AuditEvent) Position) []AuditEvent {
	merged := make([]AuditEvent, 0, min(limit, len(changes)+len(traffic)))
	for len(merged) < limit && len(changes)+len(traffic) > 0 {
		from := &changes
		if len(changes) == 0 || len(traffic) > 0 && !position(changes[0]).After(position(traffic[0])) {
			from = &traffic
		}
		merged = append(merged, (*from)[0])
		*from = (*from)[1:]
	}
	return merged
}
