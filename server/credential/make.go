package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewSecret returns a new client secret of the environment, its id and the hash
// to keep.
func NewSecret(environment string) (plain, id, hash string) {
	id = NewID()
	plain = clientSecret + environment + "_" + id + "_" + newBody()
	return plain, id, Hash(plain)
}

// NewPrefix returns what a new token of the kind and the environment begins with, and
// the id inside it. server/tokens makes the rest.
func (k LongLived) NewPrefix(environment string) (prefix, id string) {
	id = NewID()
	return string(k) + environment + "_" + id + "_", id
}

// NewVerificationToken returns a new verification token of the environment, with a
// number in it that Recipient returns. Nobody can change the number and keep a token
// that grantd knows: grantd looks for the whole token.
func NewVerificationToken(environment string, recipient byte) string {
	var b [32]byte
	mustRandom(b[:])
	b[31] = recipient ^ recipientMask(b)
	return verification + environment + "_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// Recipient returns the number in a verification token, and any number for other
// values.
func Recipient(token string) byte {
	var b [32]byte
	if len(token) < bodyLength {
		return 0
	}
	if _, err := base64.RawURLEncoding.Decode(b[:], []byte(token[len(token)-bodyLength:])); err != nil {
		return 0
	}
	return b[31] ^ recipientMask(b)
}

// recipientMask returns what hides the number, so that a token shows nothing about the
// recipient at a glance.
func recipientMask(b [32]byte) byte {
	sum := sha256.Sum256(b[:31])
	return sum[0]
}

// NewClientID returns a new client id: gc_ and 128 random bits in base64url.
func NewClientID() string {
	var b [16]byte
	mustRandom(b[:])
	return clientIDPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// NewID returns the id of a new secret, partner token or API key: eight letters
// and digits.
func NewID() string {
	id := make([]byte, 0, idLength)
	for len(id) < idLength {
		var b [idLength]byte
		mustRandom(b[:])
		for _, c := range b {
			// 248 is the largest multiple of 62 in a byte: no bias.
			if c < 248 && len(id) < idLength {
				id = append(id, base62[c%62])
			}
		}
	}
	return string(id)
}

// newBody returns 256 random bits in base64url.
func newBody() string {
	var b [32]byte
	mustRandom(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func mustRandom(b []byte) {
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
}
