package credential

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// label marks the hash of a generated credential. Its 256 random bits need no
// slow hash (NIST SP 800-63B).
const label = "sha256$"

// hashed is what is kept of a generated credential: the label and the base64url
// digest.
type hashed [len(label) + 43]byte

func sum(plain string) (h hashed) {
	var room [MaxLength]byte // on the stack: every request needs it
	digest := sha256.Sum256(append(room[:0], plain...))
	copy(h[:], label)
	base64.RawURLEncoding.Encode(h[len(label):], digest[:])
	return h
}

// Hash returns what is kept of a generated credential.
func Hash(plain string) string {
	h := sum(plain)
	return string(h[:])
}

// Matches reports, in constant time, whether the hash is that of the generated
// credential plain.
func Matches(hash, plain string) bool {
	presented := sum(plain)
	var kept hashed // of equal length unless the hash is imported
	return len(hash) == len(kept) && copy(kept[:], hash) == len(kept) &&
		subtle.ConstantTimeCompare(kept[:], presented[:]) == 1
}

// IsImported reports whether the hash was made elsewhere and imported.
func IsImported(hash string) bool { return !strings.HasPrefix(hash, label) }
