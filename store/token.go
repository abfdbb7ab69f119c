package store

import (
	"crypto/sha256"
	"time"
)

// Digest is the SHA-256 of a whole presented token, prefix included.
type Digest [sha256.Size]byte

// TokenKept is how long at least a token's record is kept after its end, so that its
// end can be told. The end in the form of a token is rounded up to the minute: once
// that has passed, the record is not needed.
const TokenKept = 90 * time.Second

// TokenUse is the kind of a token.
type TokenUse string

// The five kinds.
const (
	UseClient   TokenUse = "client"
	UseCustomer TokenUse = "customer"
	UseOnBehalf TokenUse = "on_behalf"
	UsePartner  TokenUse = "partner"
	UseKey      TokenUse = "key"
)

// Token is the record of an access token. Its ids are plain, without the
// namespace that introspection puts before them.
type Token struct {
	Use       TokenUse
	ClientID  string
	SecretID  string // the secret that authenticated its request
	Scopes    string // space separated
	IssuedAt  time.Time
	ExpiresAt time.Time // whole seconds after IssuedAt
	// Position is the feed position that the minting replica had applied
	// before it read any record that this token depends on.
	Position Position

	OrgID      string
	CustomerID string
	// AuthorizedUser is the id of the person who acts for a business customer, if
	// that is known.
	AuthorizedUser string
	PartnerID      string
	PartnerTID     string // id of the partner token it was made from
	KeyID          string // id of the API key that it is
	Audience       []string

	// Restrictions. A resource server that does not enforce one of these must
	// not see the token as active. A restriction that this program does not
	// know makes the record unreadable.
	SourceIPs []string
	Endpoints []string
	Resources []Resource

	Upgradable string    // scopes it may be upgraded to, space separated
	AuthTime   time.Time // when the customer was verified, whole seconds; zero: never
	AMR        []string  // how (RFC 8176)
	// Parents are the tokens that it was made from, nearest first, as
	// PrincipalToken without the kind. A void of one of them ends this token.
	Parents []string

	Revoked *Revocation // not nil: a tombstone
}

// Resource restricts a token to the resources of one type that have these ids.
type Resource struct {
	Type string   `json:"type"`
	IDs  []string `json:"ids"`
}

// Revocation says who ended a token, and when.
type Revocation struct {
	At time.Time
	By string // actor, as in the audit
}
