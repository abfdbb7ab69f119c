package store

import (
	"encoding/json"
	"fmt"
	"time"
)

// jsonVersion is the version of records kept as JSON.
const jsonVersion = 1

type entryRecord struct {
	V     int       `json:"v"`
	Kind  EntryKind `json:"kind"`
	Key   string    `json:"key"`
	By    string    `json:"by,omitempty"`
	At    int64     `json:"at"`              // Unix milliseconds
	Until int64     `json:"until,omitempty"` // Unix milliseconds

	Version uint64          `json:"version,omitempty"`
	Gone    bool            `json:"gone,omitempty"`
	Form    json.RawMessage `json:"form,omitempty"`
}

// MarshalEntry returns the stored form of e, without its position.
func MarshalEntry(e Entry) ([]byte, error) {
	r := entryRecord{V: jsonVersion, Kind: e.Kind, Key: e.Key, By: e.By, At: e.At.UnixMilli(), Version: e.Version, Gone: e.Gone, Form: json.RawMessage(e.Form)}
	if !e.Until.IsZero() {
		r.Until = e.Until.UnixMilli()
	}
	return json.Marshal(r)
}

// UnmarshalEntry reads what MarshalEntry wrote. An entry of an unknown
// version or kind voids everything before it: its meaning is unknown, so this is
// the safe reading.
//
// The texts of the entry may be parts of the form: to keep one for long, clone it.
func UnmarshalEntry[T string | []byte](form T, p Position) Entry {
	if e, ok := scanEntry(string(form), p); ok {
		return e
	}
	b := []byte(form)
	var r entryRecord
	if err := unmarshal(b, &r, &r.V); err != nil || (r.Kind != EntryVoid && r.Kind != EntryChange) {
		return Entry{Position: p, Kind: EntryVoid, Key: PrincipalAll, By: "system: unreadable feed entry", At: time.Now().UTC()}
	}
	e := Entry{Position: p, Kind: r.Kind, Key: r.Key, By: r.By, At: time.UnixMilli(r.At).UTC(), Version: r.Version, Gone: r.Gone, Form: string(r.Form)}
	if r.Until != 0 {
		e.Until = time.UnixMilli(r.Until).UTC()
	}
	return e
}

type auditRecord struct {
	V int `json:"v"`
	AuditEvent
}

// MarshalAudit returns the stored form of e.
func MarshalAudit(e AuditEvent) ([]byte, error) {
	return json.Marshal(auditRecord{V: jsonVersion, AuditEvent: e})
}

// UnmarshalAudit reads what MarshalAudit wrote. Errors: ErrUnknownRecord.
func UnmarshalAudit(b []byte) (AuditEvent, error) {
	var r auditRecord
	if err := unmarshal(b, &r, &r.V); err != nil {
		return AuditEvent{}, fmt.Errorf("audit record: %w", err)
	}
	return r.AuditEvent, nil
}

func unmarshal(b []byte, into any, version *int) error {
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%w: not readable: %w", ErrUnknownRecord, err)
	}
	if *version != jsonVersion {
		return fmt.Errorf("%w: version %d", ErrUnknownRecord, *version)
	}
	return nil
}
