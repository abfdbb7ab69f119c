package store

import (
	"slices"
	"time"
)

// Partner is an outside company that may act, read-only, for orgs that allow
// it (contract §1).
type Partner struct {
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	Scopes []string       `json:"scopes"` // that orgs may grant it
	Tokens []PartnerToken `json:"tokens,omitempty"`
	// Incarnation tells it from others that had its id before: what was
	// granted to them is not granted to it.
	Incarnation uint64 `json:"incarnation"`
	Head
}

// PartnerToken is a long-lived credential of a partner, as a labelled hash
// (contract §2).
type PartnerToken struct {
	ID        string     `json:"id"` // 8 base62 characters
	Name      string     `json:"name"`
	Hash      string     `json:"hash"`
	SourceIPs []string   `json:"source_ips,omitempty"` // CIDRs it may be used from; none: anywhere
	CreatedBy string     `json:"created_by"`           // actor, as in the audit
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	Position  Position   `json:"position"` // of the feed, before it was made
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	RevokedBy string     `json:"revoked_by,omitempty"`
}

// Live says whether the token may be used at the time now.
func (t PartnerToken) Live(now time.Time) bool { return t.RevokedAt == nil && now.Before(t.ExpiresAt) }

// Clone answers a copy that shares nothing with p.
func (p Partner) Clone() Partner {
	p.Scopes, p.Tokens = slices.Clone(p.Scopes), slices.Clone(p.Tokens)
	for i := range p.Tokens {
		p.Tokens[i].SourceIPs = slices.Clone(p.Tokens[i].SourceIPs)
		p.Tokens[i].RevokedAt = cloneTime(p.Tokens[i].RevokedAt)
	}
	p.Head = p.Head.clone()
	return p
}

// PartnerTokenOwner says whose a partner token is: what is presented names
// only the token. It is written before the token and never changed; without
// the token in the partner's record it means nothing.
type PartnerTokenOwner struct {
	ID        string `json:"id"` // of the token
	PartnerID string `json:"partner_id"`
	Version   uint64 `json:"version"`
}

// Grant is what an org allows a partner (contract §4).
type Grant struct {
	PartnerID string     `json:"partner_id"`
	OrgID     string     `json:"org_id"`
	Scopes    []string   `json:"scopes"`
	Endpoints []string   `json:"endpoints,omitempty"` // patterns, see scopes.ParseEndpoints; none: all
	Until     *time.Time `json:"until,omitempty"`     // nil: until it is withdrawn
	// The incarnations that it is about: with another one it means nothing.
	PartnerIncarnation uint64 `json:"partner_incarnation"`
	OrgIncarnation     uint64 `json:"org_incarnation"`
	Head
}

// GrantID is the id of the grant of an org to a partner.
func GrantID(partner, org string) string { return partner + "/" + org }

// ID answers GrantID of its partner and org.
func (g Grant) ID() string { return GrantID(g.PartnerID, g.OrgID) }

// Clone answers a copy that shares nothing with g.
func (g Grant) Clone() Grant {
	g.Scopes, g.Endpoints = slices.Clone(g.Scopes), slices.Clone(g.Endpoints)
	g.Until, g.Head = cloneTime(g.Until), g.Head.clone()
	return g
}
