package store

import "time"

// NoticeQueueID is the id of the only NoticeQueue.
const NoticeQueueID = "notices"

// NoticeQueue is what is to be told to the operator's webhook, and how far the sources
// of notices were read. All replicas share it. It is no part of a backup: a store
// without one begins again, with notices that have the same ids.
type NoticeQueue struct {
	ID string `json:"id"` // NoticeQueueID
	// Holder is the process that reads and sends, until HeldUntil.
	Holder    string    `json:"holder,omitempty"`
	HeldUntil time.Time `json:"held_until,omitzero"`
	// AuditID and AuditTime are the newest event of the audit that was read.
	AuditID   string    `json:"audit_id,omitempty"`
	AuditTime time.Time `json:"audit_time,omitzero"`
	// Since is up to when the credentials were read; Pass is where the reading that
	// goes on is.
	Since time.Time   `json:"since,omitzero"`
	Pass  *NoticePass `json:"pass,omitempty"`
	// Pending are the notices that are not sent, the oldest first.
	Pending []Notice `json:"pending,omitempty"`
	// Recent are the ids of notices that are not queued again.
	Recent []NoticeMark `json:"recent,omitempty"`

	Version uint64 `json:"version"`
}

// NoticePass is the place in a reading of all credentials.
type NoticePass struct {
	Until time.Time `json:"until"` // when it began
	Part  int64     `json:"part"`
	After string    `json:"after,omitempty"`
}

// Notice is one message to the operator. It holds no secret and no phone number.
type Notice struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
	Summary string    `json:"summary"`
	Details string    `json:"details,omitempty"` // a JSON object
	Queued  time.Time `json:"queued"`
	Tried   time.Time `json:"tried,omitzero"` // the first try that failed
}

// NoticeMark is the id of a notice that was queued, and until when it is kept.
type NoticeMark struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}
