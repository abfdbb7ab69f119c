// Package phonekeys encrypts the phone numbers in the records of customers, so
// that the store, its copies and its backups do not show them. It reads the file
// with the keys, and stands between the customers feature and the store: Customers
// encrypts what is written and decrypts what is read. Other features and the
// store itself see only what is stored.
//
// A stored number is enc1:KEY:VALUE, where KEY names the key, and VALUE is the
// base64url of the nonce and the AES-256-GCM ciphertext. A number in clear text,
// from before there were keys, is read as it is.
package phonekeys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	// form begins every encrypted number. Its digit is the version of the form.
	form = "enc1:"
	// padded is the length of every number before it is encrypted, in bytes, so
	// that the length of the ciphertext does not tell the country: E.164 numbers
	// have at most 15 digits.
	padded = len("+") + 15
	// keyBytes is the length of a key: AES-256.
	keyBytes = 32
)

// Keys are the keys of one file. The first one encrypts, all of them decrypt. The
// zero value has no key: it encrypts nothing.
type Keys struct {
	first string // "": there are none
	byID  map[string]cipher.AEAD
	hide  []byte // derived from the first key
}

// place is where a number is stored. It is part of what is authenticated, so that
// a value that is moved elsewhere does not decrypt.
type place struct {
	customer string
	field    string // phone, or the name of an authorized user
}

func (p place) bytes() []byte {
	return fmt.Appendf(nil, "grantd phone\x00customer\x00%d:%s\x00%d:%s", len(p.customer), p.customer, len(p.field), p.field)
}

// Readable reports whether a number of a record is in clear text: it is neither
// encrypted nor of an unknown form.
func Readable(number string) bool { return strings.HasPrefix(number, "+") }

func (k *Keys) add(id string, key []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return err
	}
	if k.first == "" {
		m := hmac.New(sha256.New, key)
		m.Write([]byte("grantd counters of phone numbers"))
		k.first, k.byID, k.hide = id, map[string]cipher.AEAD{}, m.Sum(nil)
	}
	k.byID[id] = aead
	return nil
}

// encrypt returns the number as it is stored. Without keys, and for what is not in
// clear text already, it returns the number unchanged.
func (k *Keys) encrypt(at place, number string) string {
	if k.first == "" || !Readable(number) || len(number) > padded {
		return number
	}
	plain := make([]byte, padded)
	copy(plain, number)
	return form + k.first + ":" + base64.RawURLEncoding.EncodeToString(k.byID[k.first].Seal(nil, nil, plain, at.bytes()))
}

// current reports whether a stored number is as encrypt would store it: under the
// first key, or in clear text if there is no key.
func (k *Keys) current(stored string) bool {
	return k.first == "" || strings.HasPrefix(stored, form+k.first+":")
}

var errForm = errors.New("its form is unknown: a newer grantd may have written it, or somebody else changed it")

// decrypt returns the number. The error says what the operator must do; it holds
// neither the number nor a key.
func (k *Keys) decrypt(at place, stored string) (string, error) {
	if Readable(stored) {
		return stored, nil
	}
	rest, ok := strings.CutPrefix(stored, form)
	id, value, split := strings.Cut(rest, ":")
	if !ok || !split || !validID(id) {
		return "", errForm
	}
	aead := k.byID[id]
	switch {
	case k.first == "":
		return "", fmt.Errorf("it is encrypted with the key %q, and customers.phone_key_file is not set: set it to the file with this key", id)
	case aead == nil:
		return "", fmt.Errorf("it is encrypted with the key %q, which customers.phone_key_file does not hold: add the key to the file again", id)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return "", errForm
	}
	plain, err := aead.Open(nil, nil, sealed, at.bytes())
	if err != nil {
		return "", fmt.Errorf("it does not decrypt with the key %q: the file has another key under this name, or somebody changed the number or moved it from another record", id)
	}
	return strings.TrimRight(string(plain), "\x00"), nil
}

// obscure returns a name for the number that only the holder of the first key can
// compute. Without keys it returns the number.
func (k *Keys) obscure(number string) string {
	if k.first == "" {
		return number
	}
	m := hmac.New(sha256.New, k.hide)
	m.Write([]byte(number))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}
