package credential

import (
	"errors"
	"strings"
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

	// MinRandomLength is the length of the shortest secret that a SHA-256 matches.
	// Whatever is shorter may have been thought up, and then a hash that costs
	// nothing protects nothing. 32 random hex digits have 128 bits (NIST SP 800-63B
	// wants 112).
	MinRandomLength = 32
)

const (
	hexDigits    = "0123456789abcdefABCDEF"
	sha256Digits = 64
)

// What is wrong with a hash that cannot be imported. Each continues a sentence
// that begins with the name of the hash, and none contains any of it.
var (
	errHashKind    = errors.New("is not of a kind that is accepted: it must be bcrypt ($2a$, $2b$, $2y$), $pbkdf2-sha256$, $pbkdf2-sha512$, $argon2id$, or SHA-256 as 64 hex digits")
	errHashLong    = errors.New("is longer than 512 characters")
	errHashHex     = errors.New("is hex, but not the 64 digits of SHA-256: other digests are not accepted")
	errPlain       = errors.New("is {noop}, which is the secret itself and not a hash: hash it first, or give the client a new secret")
	errSpringOwn   = errors.New("is a hash in a form that only Spring reads, which leaves out its cost: of Spring's forms, {bcrypt} and {argon2} are accepted")
	errBcrypt      = errors.New("is not a whole bcrypt hash: it must be $2b$ (or $2a$, $2y$), a cost of two digits, $ and 53 characters")
	errBcryptCost  = errors.New("is bcrypt of a cost that is not accepted: it must be 10 to 12")
	errPBKDF2      = errors.New("is not a whole PBKDF2 hash: it must be $pbkdf2-sha256$ or $pbkdf2-sha512$, the iterations (25000, i=25000 or i=25000,l=32), then $salt$hash in base64")
	errPBKDF2Kind  = errors.New("is PBKDF2 with a digest that is not accepted: it must be $pbkdf2-sha256$ or $pbkdf2-sha512$")
	errPBKDF2Cost  = errors.New("is PBKDF2 of a cost that is not accepted: it must have 25000 to 1000000 iterations")
	errArgon       = errors.New("is not a whole Argon2id hash: it must be $argon2id$v=19$m=19456,t=2,p=1$salt$hash, with salt and hash in base64")
	errArgonKind   = errors.New("is Argon2 of a kind that is not accepted: it must be $argon2id$")
	errArgonCost   = errors.New("is Argon2id of a cost that is not accepted: it must have m=19456 to m=65536 (KiB), t=2 to t=4 and p=1 to p=4")
	errHashLengths = errors.New("has a salt of less than 8 bytes, or a hash of less than 16 or more than 64 bytes")
)

// imported is an imported hash that was read.
type imported struct {
	kept   string // in the one form that is stored
	verify func(plain string) bool
	cheap  error // why it is below the floors; nil: it is not
	weak   bool  // cheap, or so that a stolen store helps to guess the secret
	bcrypt bool
	cost   int // of a check, in percent of the slowest hash of its kind that is accepted
}

// ParseImported reads a hash as grantd and other systems write it, and returns the
// form to store, which is the same for all spellings of one hash. The error says
// what is wrong with it, without quoting it: "is bcrypt of a cost that …".
func ParseImported(hash string) (kept string, err error) {
	h, err := parseImported(withoutSpring(hash))
	if err == nil {
		err = h.cheap
	}
	if err != nil {
		return "", err
	}
	return h.kept, nil
}

// SameImported reports whether two hashes are the same, however they are spelled.
func SameImported(a, b string) bool {
	one, err1 := parseImported(a)
	other, err2 := parseImported(b)
	return err1 == nil && err2 == nil && one.kept == other.kept
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

// MaxImportedCost bounds the sum of ImportedCost of one client: a wrong secret is checked
// against each of its hashes. It is that of two of the slowest hashes.
const MaxImportedCost = 200

// ImportedCost returns what a check of the imported hash costs, in percent of what one
// hash may cost; 0 for SHA-256.
func ImportedCost(hash string) int {
	h, err := parseImported(hash)
	if err != nil {
		return 0 // it is never checked
	}
	return h.cost
}

// IsBcrypt reports whether the hash is bcrypt's, which matches no secret of more
// than 72 bytes.
func IsBcrypt(hash string) bool {
	h, err := parseImported(withoutSpring(hash))
	return err == nil && h.bcrypt
}

// IsSHA256 reports whether the hash is an imported SHA-256, which costs nothing.
func IsSHA256(hash string) bool {
	return len(hash) == sha256Digits && strings.Trim(hash, hexDigits) == ""
}

// CutsOff reports whether the imported hash cannot be that of the secret plain,
// because it would leave a part of it out.
func CutsOff(hash, plain string) bool {
	return strings.HasPrefix(hash, "$2") && len(plain) > maxBcryptSecret
}

// MatchesImported reports whether the imported hash is that of the secret plain.
// It takes long on purpose, except for SHA-256.
func MatchesImported(hash, plain string) bool {
	h, err := parseImported(hash)
	return err == nil && h.verify(plain)
}

// HashRandom returns the hash of a random secret of another system. ok is false
// if the secret may not be random: then it needs a slow hash.
func HashRandom(plain string) (hash string, ok bool) {
	if len(plain) < MinRandomLength || len(plain) > MaxLength || strings.Trim(plain, base62+"-_") != "" {
		return "", false
	}
	return hexSHA256(plain), true
}

// withoutSpring returns the hash without the {id} that Spring Security puts before
// hashes that say the rest themselves.
func withoutSpring(hash string) string {
	for _, id := range []string{"{bcrypt}", "{argon2}", "{argon2@SpringSecurity_v5_8}"} {
		if rest, ok := strings.CutPrefix(hash, id); ok {
			return rest
		}
	}
	return hash
}

// parseImported reads a crypt or PHC string, or SHA-256 in hex.
func parseImported(stored string) (imported, error) {
	if len(stored) > maxHashLength {
		return imported{}, errHashLong
	}
	if stored != "" && strings.Trim(stored, hexDigits) == "" {
		return parseSHA256(stored)
	}
	switch {
	case strings.HasPrefix(stored, "{noop}"):
		return imported{}, errPlain
	case strings.HasPrefix(stored, "{"):
		return imported{}, errSpringOwn
	}
	parts := strings.Split(stored, "$")
	if len(parts) < 3 || parts[0] != "" {
		return imported{}, errHashKind
	}
	switch kind := parts[1]; {
	case kind == "2a" || kind == "2b" || kind == "2y":
		return parseBcrypt(stored)
	case strings.HasPrefix(kind, "pbkdf2"):
		return parsePBKDF2(parts)
	case strings.HasPrefix(kind, "argon2"):
		return parseArgon(parts)
	}
	return imported{}, errHashKind
}

// parseSHA256 reads the digest as Doorkeeper keeps it: without a salt, as suits
// only random secrets.
func parseSHA256(stored string) (imported, error) {
	if len(stored) != sha256Digits {
		return imported{}, errHashHex
	}
	kept := strings.ToLower(stored)
	verify := func(p string) bool { return len(p) >= MinRandomLength && equal(hexSHA256(p), kept) }
	return imported{kept: kept, verify: verify, weak: true}, nil
}
