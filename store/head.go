package store

import "time"

// Head holds the fields that are in every record that operators manage: client,
// org, customer, partner, API key, grant.
type Head struct {
	// Unannounced: the record was changed in a way that ends tokens (narrowed,
	// deactivated), but the feed may lack the entry that voids them.
	// UnannouncedSince is a feed position from before that change: the entry
	// belongs after it. The next change of the record appends the entry.
	Unannounced      bool     `json:"unannounced,omitempty"`
	UnannouncedSince Position `json:"unannounced_since,omitzero"`
	// DeactivatedAt is also set on a record that is about to be deleted.
	DeactivatedAt *time.Time `json:"deactivated_at,omitempty"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	Version       uint64     `json:"version"`

	// HeldBack: the store lost a change of this record, and nobody knows the
	// change. The record is not used until an operator releases it.
	HeldBack bool `json:"held_back,omitempty"`
	// Confirmed is the number of the newest Hold that the record does not fall
	// under: it was made, or released by itself, after that one.
	Confirmed uint64 `json:"confirmed,omitempty"`

	// UnderHold is what Hold.Mark has set; it is not stored.
	UnderHold bool `json:"-"`
}

// Usable reports whether the record may be used: it is not deactivated, and not
// held back after the store came back older.
func (h *Head) Usable() bool { return h.DeactivatedAt == nil && !h.Held() }

// Held reports whether the record is held back.
func (h *Head) Held() bool { return h.HeldBack || h.UnderHold }

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
