package store

import "time"

// SigningKeysID is the id of the only SigningKeys.
const SigningKeysID = "es256"

// SigningKeys are the keys with which grantd signs introspection (RFC 9701): ECDSA on
// P-256, for ES256. All replicas share them. They are in no backup: a restored store
// gets new ones.
type SigningKeys struct {
	ID   string       `json:"id"`   // SigningKeysID
	Keys []SigningKey `json:"keys"` // oldest first; one of them signs
	Head
}

// SigningKey is one key. All that the record holds are published.
type SigningKey struct {
	ID        string    `json:"id"`      // the kid: its thumbprint (RFC 7638)
	Private   []byte    `json:"private"` // the 32 bytes of the private number
	CreatedAt time.Time `json:"created_at"`
	// SignsSince is when it began to sign, and RetiredAt when another one did; the
	// zero time: not yet.
	SignsSince time.Time `json:"signs_since,omitzero"`
	RetiredAt  time.Time `json:"retired_at,omitzero"`
}

// Signs reports whether the key is the one that signs.
func (k *SigningKey) Signs() bool { return !k.SignsSince.IsZero() && k.RetiredAt.IsZero() }

// IsNext reports whether the key is published and has not signed yet.
func (k *SigningKey) IsNext() bool { return k.SignsSince.IsZero() }
