package store

import (
	"slices"
	"time"
)

// CustomerType is what a customer is.
type CustomerType string

// The two types.
const (
	Individual CustomerType = "individual"
	Business   CustomerType = "business"
)

// Customer is an end customer of an org (contract §1).
type Customer struct {
	ID              string           `json:"id"`
	OrgID           string           `json:"org_id"` // for ever
	Type            CustomerType     `json:"type"`
	Phone           string           `json:"phone"`                      // E.164
	AuthorizedUsers []AuthorizedUser `json:"authorized_users,omitempty"` // of a business
	// PhonesChangedAt is when a number of the customer or of one of its
	// authorised users last changed: codes that were sent before are void.
	PhonesChangedAt time.Time `json:"phones_changed_at"`
	Language        string    `json:"language,omitempty"` // of messages that ask for none: en or es; "": en
	Head
}

// AuthorizedUser is a person who may act for a business.
type AuthorizedUser struct {
	Name  string `json:"name"`
	Phone string `json:"phone"` // E.164
}

// Clone answers a copy that shares nothing with c.
func (c Customer) Clone() Customer {
	c.AuthorizedUsers = slices.Clone(c.AuthorizedUsers)
	c.Head = c.Head.clone()
	return c
}
