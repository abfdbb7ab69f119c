package store

import "time"

// Head is what all records have that operators manage: client, org, customer,
// partner, grant.
type Head struct {
	// Unannounced: the record was written so that tokens end (narrowed,
	// deactivated), and the feed may not have been told to void them yet: not
	// since that position, of before it was written. The next change does it.
	Unannounced      bool     `json:"unannounced,omitempty"`
	UnannouncedSince Position `json:"unannounced_since,omitzero"`
	// DeactivatedAt is also that of a record that is about to be deleted.
	DeactivatedAt *time.Time `json:"deactivated_at,omitempty"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	Version       uint64     `json:"version"`
}

func (h Head) clone() Head {
	h.DeactivatedAt = cloneTime(h.DeactivatedAt)
	return h
}

func cloneTime(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	copied := *t
	return &copied
}
