package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// Form of a generated secret and of a partner token: gs_ or gp_, then
// <env>_<id>_<43 base64url> (contract §2).
const (
	secretPrefix   = "gs_"
	partnerPrefix  = "gp_"
	secretIDLength = 8
	secretBody     = 43
	base62         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// sha256Label marks the hash of a generated secret. Its 256 random bits
	// need no slow hash (NIST SP 800-63B).
	sha256Label = "sha256$"
)

// NewSecret answers a new secret for the environment, its id and its hash.
func NewSecret(environment string) (plain, id, hash string) {
	var body [32]byte
	mustRandom(body[:])
	id = newID()
	plain = secretPrefix + environment + "_" + id + "_" + base64.RawURLEncoding.EncodeToString(body[:])
	return plain, id, HashGenerated(plain)
}

// NewClientID answers a generated client id: gc_ and 22 base64url characters.
func NewClientID() string {
	var b [16]byte
	mustRandom(b[:])
	return "gc_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// NewSecretID answers an id for a secret that was not generated here.
func NewSecretID() string { return newID() }

func newID() string {
	id := make([]byte, 0, secretIDLength)
	for len(id) < secretIDLength {
		var b [secretIDLength]byte
		mustRandom(b[:])
		for _, c := range b {
			// 248 is the largest multiple of 62 in a byte: no bias.
			if c < 248 && len(id) < secretIDLength {
				id = append(id, base62[c%62])
			}
		}
	}
	return string(id)
}

func mustRandom(b []byte) {
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
}

// GeneratedID answers the id inside a generated secret of the environment.
// ok is false for anything else.
func GeneratedID(presented, environment string) (id string, ok bool) {
	return idWithin(presented, secretPrefix, environment)
}

// NewPartnerTokenPrefix answers what a new partner token of the environment
// begins with, and the id that is in it. What follows server/tokens makes.
func NewPartnerTokenPrefix(environment string) (prefix, id string) {
	id = newID()
	return partnerPrefix + environment + "_" + id + "_", id
}

// PartnerTokenID is GeneratedID for partner tokens.
func PartnerTokenID(presented, environment string) (id string, ok bool) {
	return idWithin(presented, partnerPrefix, environment)
}

func idWithin(presented, kind, environment string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(presented, kind)
	if !ok {
		return "", false
	}
	rest, ok = strings.CutPrefix(rest, environment+"_")
	if !ok || len(rest) != secretIDLength+1+secretBody || rest[secretIDLength] != '_' {
		return "", false
	}
	return rest[:secretIDLength], true
}

// OtherEnvironment says whether the value is a credential or a token with
// the prefix of the environment that is not ours.
func OtherEnvironment(presented, environment string) bool {
	other := "live"
	if environment == "live" {
		other = "sandbox"
	}
	for _, kind := range [...]string{secretPrefix, "gt_", partnerPrefix} {
		if strings.HasPrefix(presented, kind+other+"_") {
			return true
		}
	}
	return false
}

// looksLikeCredential says whether an id has the form of a secret or a token:
// somebody pasted one, and ids are shown and logged.
func looksLikeCredential(id string) bool {
	if len(id) < len("gt_live_")+secretBody { // nearly every id, on every request
		return false
	}
	for _, kind := range [...]string{secretPrefix, "gt_", partnerPrefix} {
		for _, environment := range [...]string{"sandbox", "live"} {
			if prefix := kind + environment + "_"; len(id) >= len(prefix)+secretBody && strings.HasPrefix(id, prefix) {
				return true
			}
		}
	}
	return false
}

// generatedHash is what is kept of a generated secret: the label and the
// base64url digest.
type generatedHash [len(sha256Label) + 43]byte

func sumGenerated(plain string) (h generatedHash) {
	var room [maxSecret]byte // no memory of its own for what every request has
	sum := sha256.Sum256(append(room[:0], plain...))
	copy(h[:], sha256Label)
	base64.RawURLEncoding.Encode(h[len(sha256Label):], sum[:])
	return h
}

// HashGenerated answers what is kept of a credential that was generated here.
func HashGenerated(plain string) string {
	h := sumGenerated(plain)
	return string(h[:])
}

// MatchesGenerated says, in constant time, whether plain is the credential that
// the hash was kept of.
func MatchesGenerated(hash, plain string) bool {
	presented := sumGenerated(plain)
	return presented.equals(hash)
}

// equals compares in constant time. Both are of equal length unless the
// stored one is of another kind.
func (h *generatedHash) equals(stored string) bool {
	var other generatedHash
	return len(stored) == len(other) && copy(other[:], stored) == len(other) &&
		subtle.ConstantTimeCompare(other[:], h[:]) == 1
}
