package store

import (
	"time"
)

// Partner is an outside company that may act, read-only, for orgs that allow
// it.
type Partner struct {
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	Scopes []string       `json:"scopes"` // the scopes that orgs may grant it
	Tokens []PartnerToken `json:"tokens,omitempty"`
	// Incarnation distinguishes the partner from earlier ones with the same id:
	// it does not inherit their grants.
	Incarnation uint64 `json:"incarnation"`
	Head
}

// PartnerToken is a long-lived credential of a partner, as a labeled hash.
type PartnerToken struct {
	ID        string     `json:"id"` // 8 base62 characters
	Name      string     `json:"name"`
	Hash      string     `json:"hash"`
	SourceIPs []string   `json:"source_ips,omitempty"` // CIDRs it may be used from; none: anywhere
	CreatedBy string     `json:"created_by"`           // actor, as in the audit
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	Position  Position   `json:"position"` // in the feed, from before the token was made
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	RevokedBy string     `json:"revoked_by,omitempty"`
}

// Live reports whether the token may be used at the time now.
func (t PartnerToken) Live(now time.Time) bool { return t.RevokedAt == nil && now.Before(t.ExpiresAt) }

// PartnerTokenOwner says which partner a token belongs to: a presented token
// names only itself. The record is written before the token and never changes.
// It means nothing unless the token is in the partner's record.
type PartnerTokenOwner struct {
	ID        string `json:"id"` // of the token
	PartnerID string `json:"partner_id"`
	Version   uint64 `json:"version"`
}

// Grant is what an org allows a partner.
type Grant struct {
	PartnerID string     `json:"partner_id"`
	OrgID     string     `json:"org_id"`
	Scopes    []string   `json:"scopes"`
	Endpoints []string   `json:"endpoints,omitempty"` // patterns, see scopes.ParseEndpoints; none: all
	Until     *time.Time `json:"until,omitempty"`     // nil: until it is withdrawn
	// The incarnations that the grant is for. It does not apply to others.
	PartnerIncarnation uint64 `json:"partner_incarnation"`
	OrgIncarnation     uint64 `json:"org_incarnation"`
	Head
}

// GrantID returns the id of the grant of an org to a partner.
func GrantID(partner, org string) string { return partner + "/" + org }

// ID returns the GrantID of the grant's partner and org.
func (g Grant) ID() string { return GrantID(g.PartnerID, g.OrgID) }
