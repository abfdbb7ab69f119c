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

// ErrHash says which hashes can be imported.
var ErrHash = errors.New("must be bcrypt ($2a$, $2b$, $2y$; cost 4 to 12), $pbkdf2-sha256$ or $pbkdf2-sha512$ (100000 to 1000000 iterations) or $argon2id$ (at most 64 MiB, t 4, p 4)")

// CheckImported returns ErrHash unless the hash is of a known kind and its cost
// is within the caps.
func CheckImported(hash string) error {
	if _, err := parseImported(hash); err != nil {
		return ErrHash
	}
	return nil
}

// MatchesImported reports whether the imported hash is that of the secret plain.
// It takes long on purpose.
func MatchesImported(hash, plain string) bool {
	verify, err := parseImported(hash)
	return err == nil && verify(plain)
}

// parseImported reads a crypt or PHC string and returns its check.
func parseImported(stored string) (verify func(string) bool, err error) {
	if len(stored) > maxHashLength {
		return nil, ErrHash
	}
	parts := strings.Split(stored, "$")
	if len(parts) < 4 || parts[0] != "" {
		return nil, ErrHash
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
	return nil, ErrHash
}

func parseBcrypt(stored string) (func(string) bool, error) {
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || cost > maxBcryptCost {
		return nil, ErrHash
	}
	return func(p string) bool {
		return len(p) <= maxBcryptSecret && bcrypt.CompareHashAndPassword([]byte(stored), []byte(p)) == nil
	}, nil
}

// parsePBKDF2 reads $pbkdf2-sha256$i=600000$salt$hash; the count may
// be written without "i=", and base64 with or without padding.
func parsePBKDF2[H hash.Hash](parts []string, h func() H) (func(string) bool, error) {
	if len(parts) != 5 {
		return nil, ErrHash
	}
	n, err := strconv.Atoi(strings.TrimPrefix(parts[2], "i="))
	salt, want, ok := saltAndHash(parts[3], parts[4])
	if err != nil || !ok || n < 100_000 || n > maxPBKDF2Iterations {
		return nil, ErrHash
	}
	return func(p string) bool {
		got, err := pbkdf2.Key(h, p, salt, n, len(want))
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

// parseArgon reads $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func parseArgon(parts []string) (func(string) bool, error) {
	if len(parts) != 6 || parts[2] != "v=19" {
		return nil, ErrHash
	}
	var memory, time uint32
	var threads uint8
	const form = "m=%d,t=%d,p=%d"
	if _, err := fmt.Sscanf(parts[3], form, &memory, &time, &threads); err != nil ||
		parts[3] != fmt.Sprintf(form, memory, time, threads) { // Sscanf ignores what follows
		return nil, ErrHash
	}
	salt, want, ok := saltAndHash(parts[4], parts[5])
	if !ok || memory < 8 || memory > maxArgonMemoryKiB || time < 1 || time > maxArgonTime || threads < 1 || threads > maxArgonThreads {
		return nil, ErrHash
	}
	return func(p string) bool {
		got := argon2.IDKey([]byte(p), salt, time, memory, threads, uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

func saltAndHash(s, h string) (salt, hash []byte, ok bool) {
	salt, err1 := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	hash, err2 := base64.RawStdEncoding.DecodeString(strings.TrimRight(h, "="))
	return salt, hash, err1 == nil && err2 == nil && len(salt) >= 8 && len(hash) >= 16 && len(hash) <= 64
}
