package protocol_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

func equal(a, b any) bool { return cmp.Equal(a, b) }

func repeated(s string, n int) string { return strings.Repeat(s, n) }

// The hashes below are those in which other servers store a secret.

func bcryptOf(t *testing.T, secret string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

var salt = []byte("0123456789abcdef")

func b64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

func pbkdf2Of(t *testing.T, secret string) string {
	t.Helper()
	key, err := pbkdf2.Key(sha256.New, secret, salt, 100_000, 32)
	if err != nil {
		t.Fatal(err)
	}
	return "$pbkdf2-sha256$i=100000$" + b64(salt) + "$" + b64(key)
}

func pbkdf2SHA512Of(t *testing.T, secret string) string {
	t.Helper()
	key, err := pbkdf2.Key(sha512.New, secret, salt, 100_000, 64)
	if err != nil {
		t.Fatal(err)
	}
	return "$pbkdf2-sha512$100000$" + b64(salt) + "$" + b64(key)
}

func argon2Of(t *testing.T, secret string) string {
	t.Helper()
	key := argon2.IDKey([]byte(secret), salt, 2, 19456, 1, 32)
	return fmt.Sprintf("$argon2id$v=19$m=19456,t=2,p=1$%s$%s", b64(salt), b64(key))
}
