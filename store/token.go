package store

import (
	"crypto/sha256"
	"time"
)

// Digest is the SHA-256 of a whole presented token, prefix included.
type Digest [sha256.Size]byte

// TokenUse is the kind of a token (contract §1).
type TokenUse string

// The four kinds.
const (
	UseClient   TokenUse = "client"
	UseCustomer TokenUse = "customer"
	UseOnBehalf TokenUse = "on_behalf"
	UsePartner  TokenUse = "partner"
)

// Token is what is kept of an access token. Subject, client and the like are
// bare ids, without the namespace that introspection puts before them.
type Token struct {
	Use       TokenUse
	ClientID  string
	SecretID  string // the secret that authenticated its request
	Scopes    string // space separated
	IssuedAt  time.Time
	ExpiresAt time.Time // whole seconds after IssuedAt
	// Position is the feed position that the minting replica had applied
	// before it read anything that this token rests on.
	Position Position

	OrgID      string
	CustomerID string
	PartnerID  string
	PartnerTID string // id of the partner token it was made from
	Audience   []string

	// Restrictions: a resource server that does not enforce one of these must
	// not see the token as active. Unknown ones make a record unreadable.
	SourceIPs []string
	Endpoints []string
	Resources []Resource

	Upgradable string    // scopes it may be upgraded to, space separated
	AuthTime   time.Time // when its customer was verified, whole seconds; zero: nobody was
	AMR        []string  // how (RFC 8176)
	// Parents are the tokens it was made from, the nearest first, named as
	// PrincipalToken names them but for the kind: a void of one ends this one.
	Parents []string

	Revoked *Revocation // not nil: a tombstone
}

// Resource is what a token is restricted to of one type.
type Resource struct {
	Type string   `json:"type"`
	IDs  []string `json:"ids"`
}

// Revocation says who ended a token, and when.
type Revocation struct {
	At time.Time
	By string // actor, as in the audit
}
