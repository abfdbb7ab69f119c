package store

import "time"

// Format is the version of everything this program writes to a store.
const Format = 1

// Stamp says which deployment the store belongs to.
type Stamp struct {
	Environment string // sandbox | live
	Issuer      string // "" if the issuer is the address that is listened on
	Format      int
}

// TokenKey is a key of the keyed check inside tokens. The check keeps made-up
// tokens away from the store. The security of tokens does not depend on it.
type TokenKey struct {
	ID        uint8
	Key       []byte // 32 random bytes
	CreatedAt time.Time
}
