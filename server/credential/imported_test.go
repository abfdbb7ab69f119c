package credential

import (
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// A hash below the floors is not imported, but one that was imported before is
// still checked. Both are weak, and so are some that are imported.
func TestFloors(t *testing.T) {
	b64 := base64.RawStdEncoding.EncodeToString
	salt := []byte("0123456789abcdef")
	tail := b64(salt) + "$" + b64(salt)
	for _, row := range []struct {
		hash         string
		taken, weak  bool
		stillChecked bool
	}{
		{"$2a$09$" + strings.Repeat("a", 53), false, true, true},
		{"$2a$10$" + strings.Repeat("a", 53), true, false, true},
		{"$2a$13$" + strings.Repeat("a", 53), false, true, false},
		{"$pbkdf2-sha256$i=24999$" + tail, false, true, false},
		{"$pbkdf2-sha256$i=25000$" + tail, true, true, true},
		{"$pbkdf2-sha256$i=99999$" + tail, true, true, true},
		{"$pbkdf2-sha512$i=100000$" + tail, true, false, true},
		{"$argon2id$v=19$m=19455,t=2,p=1$" + tail, false, true, true},
		{"$argon2id$v=19$m=19456,t=1,p=1$" + tail, false, true, true},
		{"$argon2id$v=19$m=19456,t=2,p=1$" + tail, true, false, true},
	} {
		_, err := parseImported(row.hash)
		_, refused := ParseImported(row.hash)
		if (refused == nil) != row.taken || IsWeak(row.hash) != row.weak || (err == nil) != row.stillChecked {
			t.Errorf("%s: imported %v, weak %v, checked %v", row.hash, refused == nil, IsWeak(row.hash), err == nil)
		}
	}
	if IsWeak(Hash("made here")) {
		t.Error("a generated secret is weak")
	}
}

// Secrets that were imported before the floors keep working.
func TestCheapHashesStillMatch(t *testing.T) {
	cheap, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("0123456789abcdef")
	b64 := base64.RawStdEncoding.EncodeToString
	argon := "$argon2id$v=19$m=64,t=1,p=1$" + b64(salt) + "$" + b64(argon2.IDKey([]byte("right"), salt, 1, 64, 1, 32))
	for _, hash := range []string{string(cheap), argon} {
		if !MatchesImported(hash, "right") || MatchesImported(hash, "wrong") {
			t.Errorf("%s does not match what it did", hash)
		}
	}
}
