package customers

import (
	"cmp"
	"time"

	"github.com/grantd/grantd/server/phone"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/store"
)

// View is a customer as the admin API and the audit log show them: numbers are
// masked. Times are UTC.
type View struct {
	CustomerID      string             `json:"customer_id"`
	OrgID           string             `json:"org_id"`
	Type            store.CustomerType `json:"type"`
	Phone           string             `json:"phone"`
	AuthorizedUsers []AuthorizedUser   `json:"authorized_users"`
	PhonesChangedAt time.Time          `json:"phones_changed_at"`
	Language        string             `json:"language"`
	MutedUntil      *time.Time         `json:"muted_until"` // no codes are sent until then
	Active          bool               `json:"active"`
	HeldBack        bool               `json:"held_back,omitempty"` // since the store came back older
	DeactivatedAt   *time.Time         `json:"deactivated_at"`
	CreatedAt       time.Time          `json:"created_at"`
	UpdatedAt       time.Time          `json:"updated_at"`
	Version         uint64             `json:"version"`
}

// AuthorizedUser is a person who may act for a business.
type AuthorizedUser struct {
	ID    string `json:"id,omitempty"` // by which tokens name this person
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

// Shown is a customer with what was counted of their codes.
type Shown struct {
	View
	WrongCodesToday int  `json:"wrong_codes_today"`
	WrongCodesInRow int  `json:"wrong_codes_in_row"`
	CodesLocked     bool `json:"codes_locked"` // until an operator resets the codes
	// CodesSent24h is how many codes were sent within 24 hours from the first of
	// them; nil: all limits of codes are off, and nothing is counted.
	CodesSent24h *int64 `json:"codes_sent_24h"`
	// BlockedBy is the name of the limit that refuses codes for the longest time, or
	// wrong_codes_in_row, wrong_codes_per_day, muted; nil: none does.
	BlockedBy         *string    `json:"blocked_by"`
	CodesBlockedUntil *time.Time `json:"codes_blocked_until"` // nil with a BlockedBy: until an operator resets the codes
	// PhonesUnreadable is why a number of the record cannot be decrypted, and what
	// to do; "": all can.
	PhonesUnreadable string `json:"phones_unreadable,omitempty"`
}

func view(c store.Customer) View {
	v := View{
		CustomerID: c.ID, OrgID: c.OrgID, Type: c.Type, Phone: mask(c.Phone), AuthorizedUsers: []AuthorizedUser{},
		PhonesChangedAt: c.PhonesChangedAt, Language: cmp.Or(c.Language, "en"), MutedUntil: c.MutedUntil, Active: c.Usable(), HeldBack: c.Held(), DeactivatedAt: c.DeactivatedAt,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Version: c.Version,
	}
	for _, u := range c.AuthorizedUsers {
		v.AuthorizedUsers = append(v.AuthorizedUsers, AuthorizedUser{ID: u.ID, Name: u.Name, Phone: mask(u.Phone)})
	}
	return v
}

// unreadable is what a view shows instead of a number that cannot be decrypted.
const unreadable = "unreadable"

func mask(number string) string {
	if !phonekeys.Readable(number) {
		return unreadable
	}
	return phone.Mask(number)
}

// Spec is what an operator sends to put a customer; its numbers are not masked.
type Spec struct {
	OrgID           string             `json:"org_id"`
	Type            store.CustomerType `json:"type"`
	Phone           string             `json:"phone"`
	AuthorizedUsers []AuthorizedUser   `json:"authorized_users"`
	Language        string             `json:"language"` // "": en
}

// Import is the body of one call of the import.
type Import struct {
	Customers []ImportLine `json:"customers"`
	Check     bool         `json:"check"` // only report what would happen
}

// ImportLine is one customer of an import.
type ImportLine struct {
	CustomerID string `json:"customer_id"`
	Spec
}
