package credential

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Caps on the cost of imported hashes: one record must not let one request take
// the whole machine.
const (
	maxBcryptCost       = 12
	maxBcryptSecret     = 72 // bcrypt ignores what is longer
	maxPBKDF2Iterations = 1_000_000
	maxArgonMemoryKiB   = 64 << 10
	maxArgonTime        = 4
	maxArgonThreads     = 4
	maxHashLength       = 512
)

// Floors on the cost of a hash that is imported. Cheaper ones that an older
// grantd imported are still checked.
const (
	minBcryptCost       = 10
	minPBKDF2Iterations = 25_000 // other servers hash random secrets with as many
	minArgonMemoryKiB   = 19 << 10
	minArgonTime        = 2

	// weakPBKDF2 is the number of iterations below which a hash is called weak.
	weakPBKDF2 = 100_000
)

// ErrHash says which hashes can be imported.
var ErrHash = errors.New("must be bcrypt ($2a$, $2b$, $2y$; cost 10 to 12), $pbkdf2-sha256$ or $pbkdf2-sha512$ (25000 to 1000000 iterations) or $argon2id$ (19456 KiB to 65536 KiB, t 2 to 4, p 1 to 4)")

// imported is an imported hash that was read.
type imported struct {
	verify func(plain string) bool
	cheap  bool // below the floors
	weak   bool // cheap, or so that a stolen store helps to guess the secret
}

// CheckImported returns ErrHash unless the hash is of a known kind and its cost
// is within the floors and the caps.
func CheckImported(hash string) error {
	if h, err := parseImported(hash); err != nil || h.cheap {
		return ErrHash
	}
	return nil
}

// IsWeak reports whether the hash was imported and has a low cost: its secret
// should be rotated.
func IsWeak(hash string) bool {
	if !IsImported(hash) {
		return false
	}
	h, err := parseImported(hash)
	return err != nil || h.weak
}

// CutsOff reports whether the imported hash cannot be that of the secret plain,
// because it would leave a part of it out.
func CutsOff(hash, plain string) bool {
	return strings.HasPrefix(hash, "$2") && len(plain) > maxBcryptSecret
}

// MatchesImported reports whether the imported hash is that of the secret plain.
// It takes long on purpose.
func MatchesImported(hash, plain string) bool {
	h, err := parseImported(hash)
	return err == nil && h.verify(plain)
}

// parseImported reads a crypt or PHC string.
func parseImported(stored string) (imported, error) {
	if len(stored) > maxHashLength {
		return imported{}, ErrHash
	}
	parts := strings.Split(stored, "$")
	if len(parts) < 4 || parts[0] != "" {
		return imported{}, ErrHash
	}
	switch parts[1] {
	case "2a", "2b", "2y":
		return parseBcrypt(stored)
	case "pbkdf2-sha256":
		return parsePBKDF2(parts, sha256.New)
	case "pbkdf2-sha512":
		return parsePBKDF2(parts, sha512.New)
	case "argon2id":
		return parseArgon(parts)
	}
	return imported{}, ErrHash
}

func parseBcrypt(stored string) (imported, error) {
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || cost > maxBcryptCost {
		return imported{}, ErrHash
	}
	verify := func(p string) bool {
		return len(p) <= maxBcryptSecret && bcrypt.CompareHashAndPassword([]byte(stored), []byte(p)) == nil
	}
	return imported{verify, cost < minBcryptCost, cost < minBcryptCost}, nil
}

// parsePBKDF2 reads $pbkdf2-sha256$i=600000$salt$hash; the count may
// be written without "i=", and base64 with or without padding.
func parsePBKDF2[H hash.Hash](parts []string, h func() H) (imported, error) {
	if len(parts) != 5 {
		return imported{}, ErrHash
	}
	n, err := strconv.Atoi(strings.TrimPrefix(parts[2], "i="))
	salt, want, ok := saltAndHash(parts[3], parts[4])
	if err != nil || !ok || n < minPBKDF2Iterations || n > maxPBKDF2Iterations {
		return imported{}, ErrHash
	}
	verify := func(p string) bool {
		got, err := pbkdf2.Key(h, p, salt, n, len(want))
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}
	return imported{verify, false, n < weakPBKDF2}, nil
}

// parseArgon reads $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func parseArgon(parts []string) (imported, error) {
	if len(parts) != 6 || parts[2] != "v=19" {
		return imported{}, ErrHash
	}
	var memory, time uint32
	var threads uint8
	const form = "m=%d,t=%d,p=%d"
	if _, err := fmt.Sscanf(parts[3], form, &memory, &time, &threads); err != nil ||
		parts[3] != fmt.Sprintf(form, memory, time, threads) { // Sscanf ignores what follows
		return imported{}, ErrHash
	}
	salt, want, ok := saltAndHash(parts[4], parts[5])
	if !ok || memory < 8 || memory > maxArgonMemoryKiB || time < 1 || time > maxArgonTime || threads < 1 || threads > maxArgonThreads {
		return imported{}, ErrHash
	}
	verify := func(p string) bool {
		got := argon2.IDKey([]byte(p), salt, time, memory, threads, uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}
	cheap := memory < minArgonMemoryKiB || time < minArgonTime
	return imported{verify, cheap, cheap}, nil
}

func saltAndHash(s, h string) (salt, hash []byte, ok bool) {
	salt, err1 := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	hash, err2 := base64.RawStdEncoding.DecodeString(strings.TrimRight(h, "="))
	return salt, hash, err1 == nil && err2 == nil && len(salt) >= 8 && len(hash) >= 16 && len(hash) <= 64
}
