package store

import "time"

// Format is the version of everything this program writes to a store.
const Format = 1

// Stamp says whose store it is.
type Stamp struct {
	Environment string // sandbox | live
	Issuer      string // "" where the issuer follows the bound address
	Format      int
}

// TokenKey is a key of the keyed check inside tokens (contract §2). It keeps
// made-up tokens away from the store; tokens do not rest on it.
type TokenKey struct {
	ID        uint8
	Key       []byte // 32 random bytes
	CreatedAt time.Time
}
