package credential

import (
	"crypto/rand"
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

// NewVerificationToken returns a new verification token of the environment.
func NewVerificationToken(environment string) string {
	return verification + environment + "_" + newBody()
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
