package store

import (
	"time"
)

// CustomerType says whether a customer is a person or a company.
type CustomerType string

// The two types.
const (
	Individual CustomerType = "individual"
	Business   CustomerType = "business"
)

// Customer is an end customer of an org.
type Customer struct {
	ID    string `json:"id"`
	OrgID string `json:"org_id"` // never changes
	// OrgIncarnation is that of the customer's org; see Org.Owns.
	OrgIncarnation  uint64           `json:"org_incarnation,omitempty"`
	Type            CustomerType     `json:"type"`
	Phone           string           `json:"phone"`                      // E.164
	AuthorizedUsers []AuthorizedUser `json:"authorized_users,omitempty"` // of a business
	// PhonesChangedAt is when a phone number of the customer or of one of their
	// authorized users last changed: codes that were sent before are void.
	PhonesChangedAt time.Time `json:"phones_changed_at"`
	Language        string    `json:"language,omitempty"` // for messages that do not ask for one; "": en
	// MutedUntil is until when no codes are sent; nil, or in the past: they are.
	MutedUntil *time.Time `json:"muted_until,omitempty"`
	Head
}

// AuthorizedUser is a person who may act for a business.
type AuthorizedUser struct {
	ID    string `json:"id,omitempty"` // unique within the customer; "": tokens cannot name this person
	Name  string `json:"name"`
	Phone string `json:"phone"` // E.164
}
