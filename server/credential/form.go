package credential

import "strings"

// What credentials and tokens begin with. The environment follows, then "_".
const (
	clientSecret = "gs_" // then <id>_<43 base64url>
	accessToken  = "gt_" // then <43 base64url>, unless token.prefix is set
	verification = "gv_" // then <43 base64url>
)

// LongLived is what the long-lived tokens of a kind begin with. The environment and
// "_" follow, then <id>_<43 base64url>.
type LongLived string

// The kinds of long-lived tokens.
const (
	PartnerToken LongLived = "gp_"
	APIKey       LongLived = "gk_"
)

// prefixes is the table of every form. A new kind must be added here, so that
// OtherEnvironment and HasForm know it.
var prefixes = [...]string{clientSecret, string(PartnerToken), string(APIKey), accessToken, verification}

// environments are the two that a prefix can name.
var environments = [...]string{"sandbox", "live"}

// clientIDPrefix marks a generated client id, which is no secret.
const clientIDPrefix = "gc_"

const (
	// MaxLength is the length in bytes of the longest secret that is accepted.
	MaxLength  = 1024
	idLength   = 8
	bodyLength = 43 // 256 bits in base64url
	shortest   = len(accessToken) + len("live_") + bodyLength
)

// AccessTokenPrefix returns the prefix of the environment's access tokens,
// unless token.prefix replaces it.
func AccessTokenPrefix(environment string) string { return accessToken + environment + "_" }

// SecretID returns the id inside a generated client secret of the environment.
// ok is false for anything else.
func SecretID(plain, environment string) (id string, ok bool) {
	return idInside(plain, clientSecret, environment)
}

// PartnerTokenID returns the id inside a partner token of the environment. ok
// is false for anything else.
func PartnerTokenID(plain, environment string) (id string, ok bool) {
	return PartnerToken.ID(plain, environment)
}

// ID returns the id inside a token of the kind and the environment. ok is false for
// anything else.
func (k LongLived) ID(plain, environment string) (id string, ok bool) {
	return idInside(plain, string(k), environment)
}

// IsID reports whether the value has the form of the id of a secret, a partner token
// or an API key.
func IsID(value string) bool {
	return len(value) == idLength && strings.Trim(value, base62) == ""
}

// Form returns what tokens of the kind and the environment begin with, and how long
// they are.
func (k LongLived) Form(environment string) (prefix string, length int) {
	prefix = string(k) + environment + "_"
	return prefix, len(prefix) + idLength + 1 + bodyLength
}

// IsOtherKind reports whether the value begins as a credential of ours that is not a
// token: a client secret, a client id or a verification token.
func IsOtherKind(value string) bool {
	return strings.HasPrefix(value, clientSecret) || strings.HasPrefix(value, clientIDPrefix) || strings.HasPrefix(value, verification)
}

func idInside(plain, prefix, environment string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(plain, prefix)
	if !ok {
		return "", false
	}
	rest, ok = strings.CutPrefix(rest, environment+"_")
	if !ok || len(rest) != idLength+1+bodyLength || rest[idLength] != '_' {
		return "", false
	}
	return rest[:idLength], true
}

// OtherEnvironment reports whether the value begins as a credential or a token
// of the environment that is not the given one.
func OtherEnvironment(value, environment string) bool {
	other := "live"
	if environment == "live" {
		other = "sandbox"
	}
	for _, prefix := range prefixes {
		if strings.HasPrefix(value, prefix+other+"_") {
			return true
		}
	}
	return false
}

// HasForm reports whether the value begins with a whole credential or token.
// What follows does not matter: somebody who pastes a secret into the wrong
// place may paste more than the secret.
func HasForm(value string) bool {
	if len(value) < shortest { // nearly every id, on every request
		return false
	}
	for _, prefix := range prefixes {
		for _, environment := range environments {
			if p := prefix + environment + "_"; len(value) >= len(p)+bodyLength && strings.HasPrefix(value, p) {
				return true
			}
		}
	}
	return false
}
