package partners

import (
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/store"
)

// View is a partner as the admin API and the audit log show it. Times are UTC.
type View struct {
	PartnerID     string     `json:"partner_id"`
	Name          string     `json:"name"`
	Scope         string     `json:"scope"` // what orgs may grant it
	Active        bool       `json:"active"`
	HeldBack      bool       `json:"held_back,omitempty"` // since the store came back older
	DeactivatedAt *time.Time `json:"deactivated_at"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
	Version       uint64     `json:"version"`
}

func view(p store.Partner) View {
	return View{
		PartnerID: p.ID, Name: p.Name, Scope: scopes.Join(p.Scopes), Active: p.Usable(), HeldBack: p.Held(),
		DeactivatedAt: p.DeactivatedAt, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: p.Version,
	}
}

// Spec is what an operator sends to put a partner.
type Spec struct {
	Name  string `json:"name"`
	Scope string `json:"scope"`
}

// GrantView is what an org grants a partner. Times are UTC.
type GrantView struct {
	PartnerID string     `json:"partner_id"`
	OrgID     string     `json:"org_id"`
	Scope     string     `json:"scope"`
	Endpoints []string   `json:"endpoints"`       // empty: all
	Until     *time.Time `json:"until"`           // null: until it is withdrawn
	State     State      `json:"state,omitempty"` // at the time of the response; not in the audit log
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	Version   uint64     `json:"version"`
}

func viewGrant(g store.Grant) GrantView {
	return GrantView{
		PartnerID: g.PartnerID, OrgID: g.OrgID, Scope: scopes.Join(g.Scopes), Endpoints: orEmpty(g.Endpoints), Until: g.Until,
		CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt, Version: g.Version,
	}
}

// GrantSpec is what an operator sends to put a grant.
type GrantSpec struct {
	Scope     string   `json:"scope"`
	Endpoints []string `json:"endpoints"`
	Until     *string  `json:"until"` // RFC 3339; null: until it is withdrawn
}

// TokenView is a partner token as lists show it; absent values are null.
type TokenView struct {
	ID        string     `json:"token_id"`
	Name      string     `json:"name"`
	SourceIPs []string   `json:"source_ips"` // empty: from anywhere
	Active    bool       `json:"active"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at"`
	RevokedBy *string    `json:"revoked_by"`
	lastuse.View
}

func viewToken(t store.PartnerToken, now time.Time) TokenView {
	v := TokenView{
		ID: t.ID, Name: t.Name, SourceIPs: orEmpty(t.SourceIPs), Active: t.Live(now), CreatedBy: t.CreatedBy,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, RevokedAt: t.RevokedAt,
	}
	if t.RevokedAt != nil {
		v.RevokedBy = &t.RevokedBy
	}
	return v
}

// TokenSpec is what an operator sends to create a partner token.
type TokenSpec struct {
	Name      string   `json:"name"`
	Lifetime  *string  `json:"lifetime"`   // such as 90d; null: 90 days
	SourceIPs []string `json:"source_ips"` // empty: from anywhere
}

// CreatedToken is a new partner token. The token is shown only here.
type CreatedToken struct {
	Token     string    `json:"token"`
	ID        string    `json:"token_id"`
	PartnerID string    `json:"partner_id"`
	Name      string    `json:"name"`
	SourceIPs []string  `json:"source_ips"`
	ExpiresAt time.Time `json:"expires_at"`
}

// orEmpty returns l, or an empty list that JSON does not write as null.
func orEmpty(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
