package field

import (
	"strings"

	"github.com/grantd/grantd/server/credential"
)

// MaxID is the length of the longest id.
const MaxID = 128

// ValidClientID reports whether id can be a client's: 1 to 128 of
// [A-Za-z0-9._~-]. "." and ".." are refused, since URL libraries remove them
// from paths. So is everything with the form of a credential: somebody pasted a
// secret, and ids are shown and logged.
func ValidClientID(id string) bool { return validID(id, "._~-") }

// ValidID is ValidClientID for the id of an org, customer or partner, which may
// also hold "=" and "+".
func ValidID(id string) bool { return validID(id, "._~=+-") }

func validID(id, punctuation string) bool {
	return len(id) >= 1 && len(id) <= MaxID && consistsOf(id, punctuation) && id != "." && id != ".." && !credential.HasForm(id)
}

// consistsOf reports whether s holds only ASCII letters, digits and the given
// punctuation.
func consistsOf(s, punctuation string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte(punctuation, c) < 0 {
			return false
		}
	}
	return true
}
