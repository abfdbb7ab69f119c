package orgs

import (
	"time"

	"github.com/grantd/grantd/store"
)

// View is an org as the admin API and the audit show it. Times are UTC.
type View struct {
	OrgID         string     `json:"org_id"`
	Name          string     `json:"name"`
	Active        bool       `json:"active"`
	HeldBack      bool       `json:"held_back,omitempty"` // since the store came back older
	DeactivatedAt *time.Time `json:"deactivated_at"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	Version       uint64     `json:"version"`
}

func view(o store.Org) View {
	return View{
		OrgID: o.ID, Name: o.Name, Active: o.Usable(), HeldBack: o.Held(), DeactivatedAt: o.DeactivatedAt,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, Version: o.Version,
	}
}

// Spec is what an operator sets in an org.
type Spec struct {
	Name string `json:"name"`
}
