package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Format is the version of everything this program writes to a store.
const Format = 4

// Stamp says which deployment the store belongs to.
type Stamp struct {
	Environment string // sandbox | live
	Issuer      string // "" if the issuer is the address that is listened on
	Format      int
	// Former are the issuers that the store had before, oldest first.
	Former []FormerIssuer
}

// FormerIssuer is an issuer that the store had before another one.
type FormerIssuer struct {
	Issuer string `json:"issuer"`
	// Until is the position of the feed at the change: tokens with an earlier
	// one were issued under this issuer.
	Until Position `json:"until"`
	// At is when it was changed.
	At time.Time `json:"at"`
}

// FormerAt returns the former issuer of a token with the position; nil if it was
// issued under the present one.
func FormerAt(former []FormerIssuer, p Position) *FormerIssuer {
	for i := range former {
		if former[i].Until.After(p) {
			return &former[i]
		}
	}
	return nil
}

// stampForm is the stored form of a stamp. Every later version keeps the name of
// format, so that an older program can read the version.
type stampForm struct {
	Environment string         `json:"environment"`
	Issuer      string         `json:"issuer"`
	Format      int            `json:"format"`
	Former      []FormerIssuer `json:"former,omitempty"`
}

// MarshalStamp returns the stored form of a stamp.
func MarshalStamp(s Stamp) ([]byte, error) { return json.Marshal(stampForm(s)) }

// UnmarshalStamp reads what MarshalStamp wrote. Errors: ErrUnknownRecord.
func UnmarshalStamp(form []byte) (Stamp, error) {
	var f stampForm
	if err := json.Unmarshal(form, &f); err != nil {
		return Stamp{}, fmt.Errorf("stamp: %w: %w", ErrUnknownRecord, err)
	}
	return Stamp(f), nil
}

// Equal reports whether both stamps are the same.
func (s Stamp) Equal(other Stamp) bool {
	return s.Environment == other.Environment && s.Issuer == other.Issuer && s.Format == other.Format &&
		slices.EqualFunc(s.Former, other.Former, func(a, b FormerIssuer) bool {
			return a.Issuer == b.Issuer && a.Until == b.Until && a.At.Equal(b.At)
		})
}

// TokenKey is a key of the keyed check inside tokens. The check keeps made-up
// tokens away from the store. The security of tokens does not depend on it.
type TokenKey struct {
	ID        uint8
	Key       []byte // 32 random bytes
	CreatedAt time.Time
}
