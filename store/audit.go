package store

import (
	"encoding/json"
	"time"
)

// AuditEvent is one entry of the audit stream. It never holds a token or a
// secret.
type AuditEvent struct {
	ID        string          `json:"id"` // set by the store, opaque, ordered
	Time      time.Time       `json:"time"`
	Action    string          `json:"action"` // what was done: client.create, token.issue, …
	Actor     string          `json:"actor"`  // uid:0, client:<id>, anonymous, system
	Address   string          `json:"address,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
	Target    string          `json:"target,omitempty"` // client:<id>, token:<jti>, …
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Outcome   string          `json:"outcome"`         // done, or the error's code
	Count     int64           `json:"count,omitempty"` // how many events this one represents; 0: one
}
