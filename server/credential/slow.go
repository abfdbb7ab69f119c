package credential

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

const bcryptLength = 60

func parseBcrypt(stored string) (imported, error) {
	const alphabet = base62 + "./"
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || len(stored) != bcryptLength || strings.Trim(stored[len("$2b$10$"):], alphabet) != "" {
		return imported{}, errBcrypt
	}
	if cost > maxBcryptCost {
		return imported{}, errBcryptCost
	}
	h := imported{kept: stored, bcrypt: true, cost: 100 >> (maxBcryptCost - cost), verify: func(p string) bool {
		return len(p) <= maxBcryptSecret && bcrypt.CompareHashAndPassword([]byte(stored), []byte(p)) == nil
	}}
	if cost < minBcryptCost {
		h.cheap, h.weak = errBcryptCost, true
	}
	return h, nil
}

// parsePBKDF2 reads $pbkdf2-sha256$i=600000$salt$hash. The count may be written
// without "i=", as Passlib and Authelia do, or with the length behind it, as Hydra
// does.
func parsePBKDF2(parts []string) (imported, error) {
	var digest func() hash.Hash
	switch parts[1] {
	case "pbkdf2-sha256":
		digest = sha256.New
	case "pbkdf2-sha512":
		digest = sha512.New
	default:
		return imported{}, errPBKDF2Kind
	}
	if len(parts) != 5 {
		return imported{}, errPBKDF2
	}
	count, length, hasLength := strings.Cut(strings.TrimPrefix(parts[2], "i="), ",l=")
	n, err := strconv.Atoi(count)
	salt, want, ok := saltAndHash(parts[3], parts[4])
	switch {
	case err != nil || !ok || count[0] == '+' || hasLength && length != strconv.Itoa(len(want)):
		return imported{}, errPBKDF2
	case badLengths(salt, want):
		return imported{}, errHashLengths
	case n < minPBKDF2Iterations || n > maxPBKDF2Iterations:
		return imported{}, errPBKDF2Cost
	}
	verify := func(p string) bool {
		got, err := pbkdf2.Key(digest, p, salt, n, len(want))
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}
	kept := fmt.Sprintf("$%s$i=%d$%s", parts[1], n, encode(salt, want))
	return imported{kept: kept, verify: verify, weak: n < weakPBKDF2, cost: n * 100 / maxPBKDF2Iterations}, nil
}

// parseArgon reads $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func parseArgon(parts []string) (imported, error) {
	if parts[1] != "argon2id" {
		return imported{}, errArgonKind
	}
	if len(parts) != 6 || parts[2] != "v=19" {
		return imported{}, errArgon
	}
	var memory, time, threads uint32
	const form = "m=%d,t=%d,p=%d"
	if _, err := fmt.Sscanf(parts[3], form, &memory, &time, &threads); err != nil ||
		parts[3] != fmt.Sprintf(form, memory, time, threads) { // Sscanf ignores what follows
		return imported{}, errArgon
	}
	salt, want, ok := saltAndHash(parts[4], parts[5])
	switch {
	case !ok:
		return imported{}, errArgon
	case badLengths(salt, want):
		return imported{}, errHashLengths
	case memory < 8 || memory > maxArgonMemoryKiB || time < 1 || time > maxArgonTime || threads < 1 || threads > maxArgonThreads:
		return imported{}, errArgonCost
	}
	h := imported{kept: fmt.Sprintf("$argon2id$v=19$%s$%s", parts[3], encode(salt, want)), verify: func(p string) bool {
		got := argon2.IDKey([]byte(p), salt, time, memory, uint8(threads), uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}}
	h.cost = int(memory*time) * 100 / (maxArgonMemoryKiB * maxArgonTime)
	if memory < minArgonMemoryKiB || time < minArgonTime {
		h.cheap, h.weak = errArgonCost, true
	}
	return h, nil
}

// saltAndHash decodes both. The base64 may have padding, and Passlib's "." in
// place of "+".
func saltAndHash(s, h string) (salt, hash []byte, ok bool) {
	salt, ok1 := decode(s)
	hash, ok2 := decode(h)
	return salt, hash, ok1 && ok2
}

func decode(s string) ([]byte, bool) {
	s = strings.ReplaceAll(strings.TrimRight(s, "="), ".", "+")
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil && !strings.ContainsAny(s, "\r\n") // the decoder skips those
}

func encode(salt, hash []byte) string {
	return base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(hash)
}

func badLengths(salt, hash []byte) bool { return len(salt) < 8 || len(hash) < 16 || len(hash) > 64 }

func hexSHA256(plain string) string {
	digest := sha256.Sum256([]byte(plain))
	return hex.EncodeToString(digest[:])
}

// equal compares two digests in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
