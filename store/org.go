package store

import "time"

// Org is a tenant (contract §1). Clients and customers belong to one.
type Org struct {
	ID   string `json:"id"`
	Name string `json:"name"` // as customers read it in messages
	// Incarnation tells it from others that had its id before; 0: it is of a
	// grantd that did not count them.
	Incarnation      uint64     `json:"incarnation,omitempty"`
	Unannounced      bool       `json:"unannounced,omitempty"` // see Client
	UnannouncedSince Position   `json:"unannounced_since,omitzero"`
	DeactivatedAt    *time.Time `json:"deactivated_at,omitempty"`
	CreatedAt        time.Time  `json:"created_at"`
	UpdatedAt        time.Time  `json:"updated_at"`
	Version          uint64     `json:"version"`
}

// Clone answers a copy that shares nothing with o.
func (o Org) Clone() Org {
	o.DeactivatedAt = cloneTime(o.DeactivatedAt)
	return o
}
