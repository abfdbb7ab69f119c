package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/store"
)

// The 43 base64url characters of a token are 32 bytes:
//
//	0..19   160 random bits (RFC 6749 §10.10)
//	20      id of the key, masked with random byte 0
//	21..23  end of life in minutes since epoch, rounded up, masked with AES
//	        of the first random bytes
//	24..31  the keyed check: HMAC-SHA-256, cut to 64 bits, over prefix and
//	        bytes 0..23
//
// Without the key, a token reveals nothing. With the key, a made-up, damaged or
// long-expired token is recognized without the store.
const (
	bodyLength   = 43
	randomBytes  = 20
	keyByte      = 20
	expiryByte   = 21
	checkByte    = 24
	tokenBytes   = 32
	maxPrefix    = 32
	maxPresented = maxPrefix + bodyLength
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var encoding = base64.RawURLEncoding.Strict()

// Keyring holds the keys of the keyed check. It makes and reads tokens.
type Keyring struct {
	prefix string
	keys   atomic.Pointer[map[uint8]*checkKey]
	newest atomic.Pointer[checkKey]
	oldest atomic.Pointer[checkKey]
}

type checkKey struct {
	stored    store.TokenKey
	mask      cipher.Block
	scratches sync.Pool // of *scratch
}

// scratch is the memory for making or reading one token, with an HMAC under the
// key. Without it, ciphers and hashes would allocate each piece.
type scratch struct {
	hmac   hash.Hash
	token  [tokenBytes]byte
	stream [aes.BlockSize]byte
	in     [maxPrefix + checkByte]byte
	sum    [sha256.Size]byte
}

// NewKeyring makes a keyring for tokens with the prefix.
func NewKeyring(prefix string) *Keyring { return &Keyring{prefix: prefix} }

// Offer returns the key to give to a store that has none: the newest one in use
// here, so that tokens stay readable after the store is replaced, or else a new
// one.
func (k *Keyring) Offer(now time.Time) store.TokenKey {
	if used := k.newest.Load(); used != nil {
		return used.stored
	}
	key := make([]byte, 32)
	mustRandom(key)
	return store.TokenKey{ID: 1, Key: key, CreatedAt: now.UTC()}
}

// Use replaces the keys with those of the store. All of them can read tokens; the
// newest one makes them.
func (k *Keyring) Use(keys []store.TokenKey) error {
	if len(keys) == 0 {
		return errors.New("the store has no key of the keyed check")
	}
	all := make(map[uint8]*checkKey, len(keys))
	first, latest := keys[0], keys[0]
	for _, key := range keys {
		m := hmac.New(sha256.New, key.Key)
		m.Write([]byte("grantd token mask"))
		block, err := aes.NewCipher(m.Sum(nil))
		if err != nil {
			return err
		}
		all[key.ID] = &checkKey{stored: key, mask: block, scratches: sync.Pool{New: func() any {
			return &scratch{hmac: hmac.New(sha256.New, key.Key)}
		}}}
		if key.CreatedAt.After(latest.CreatedAt) {
			latest = key
		}
		if key.CreatedAt.Before(first.CreatedAt) {
			first = key
		}
	}
	k.keys.Store(&all)
	k.newest.Store(all[latest.ID])
	k.oldest.Store(all[first.ID])
	return nil
}

// LimitKey returns a key that all replicas share, to hide the identities in the
// counters of limits.
func (k *Keyring) LimitKey() []byte { return k.newest.Load().derive("grantd limits") }

// VoidKey returns the key of voidkeys.Encoder, which all replicas share. It changes
// only when the oldest key leaves the store, so that a new key of the keyed check
// does not empty the caches that follow revocations.
func (k *Keyring) VoidKey() []byte { return k.oldest.Load().derive("grantd void keys") }

// derive returns a key for another purpose.
func (c *checkKey) derive(label string) []byte {
	m := hmac.New(sha256.New, c.stored.Key)
	m.Write([]byte(label))
	return m.Sum(nil)
}

// Make returns a new token that ends at the given time.
func (k *Keyring) Make(end time.Time) string { return k.make(k.prefix, end) }

func (k *Keyring) make(prefix string, end time.Time) string {
	key := k.newest.Load()
	d := key.scratches.Get().(*scratch)
	defer key.scratches.Put(d)
	b := &d.token
	mustRandom(b[:randomBytes])
	minutes := uint32((end.Sub(epoch) + time.Minute - 1) / time.Minute)
	b[expiryByte], b[expiryByte+1], b[expiryByte+2] = byte(minutes>>16), byte(minutes>>8), byte(minutes)
	key.maskExpiry(d)
	b[keyByte] = key.stored.ID ^ b[0]
	sum := d.check(prefix)
	copy(b[checkByte:], sum[:])
	var text [maxPresented]byte
	return string(encoding.AppendEncode(append(text[:0], prefix...), b[:]))
}

// Read returns when the presented token ends at the latest, to the minute. ok is
// false for anything that was not made with one of the keys. The check covers the
// token's prefix, whatever it is, so that tokens outlive a change of
// token.prefix.
func (k *Keyring) Read(presented string) (end time.Time, ok bool) {
	if len(presented) < bodyLength || len(presented) > maxPresented {
		return time.Time{}, false
	}
	prefix, body := presented[:len(presented)-bodyLength], presented[len(presented)-bodyLength:]
	var b [tokenBytes]byte
	if !decode(&b, body) {
		return time.Time{}, false
	}
	key, known := (*k.keys.Load())[b[keyByte]^b[0]]
	if !known {
		return time.Time{}, false
	}
	d := key.scratches.Get().(*scratch)
	defer key.scratches.Put(d)
	d.token = b
	sum := d.check(prefix)
	if subtle.ConstantTimeCompare(sum[:], b[checkByte:]) != 1 {
		return time.Time{}, false
	}
	key.maskExpiry(d)
	minutes := uint32(d.token[expiryByte])<<16 | uint32(d.token[expiryByte+1])<<8 | uint32(d.token[expiryByte+2])
	return epoch.Add(time.Duration(minutes) * time.Minute), true
}

// maskExpiry masks or unmasks the end of life.
func (c *checkKey) maskExpiry(d *scratch) {
	c.mask.Encrypt(d.stream[:], d.token[:aes.BlockSize])
	subtle.XORBytes(d.token[expiryByte:checkByte], d.token[expiryByte:checkByte], d.stream[:])
}

// check returns the keyed check of the token in d.
func (d *scratch) check(prefix string) (sum [tokenBytes - checkByte]byte) {
	d.hmac.Reset()
	d.hmac.Write(append(append(d.in[:0], prefix...), d.token[:checkByte]...))
	copy(sum[:], d.hmac.Sum(d.sum[:0]))
	return sum
}

// DigestOf returns the digest under which a token is stored.
func DigestOf(presented string) store.Digest {
	var room [maxPresented]byte // on the stack for every token that grantd makes
	return sha256.Sum256(append(room[:0], presented...))
}

// ID returns the jti of the token, which is its digest in base64url. With it,
// an operator can revoke a token that a log line names.
func ID(d store.Digest) string {
	var text [bodyLength]byte
	encoding.Encode(text[:], d[:])
	return string(text[:])
}

// ParseID reads a jti.
func ParseID(jti string) (d store.Digest, ok bool) {
	return d, len(jti) == bodyLength && decode((*[tokenBytes]byte)(&d), jti)
}

// decode reads bodyLength characters of base64url.
func decode(b *[tokenBytes]byte, text string) bool {
	if strings.ContainsAny(text, "\r\n") { // the decoder would skip them
		return false
	}
	var room [bodyLength]byte
	n, err := encoding.Decode(b[:], append(room[:0], text...))
	return err == nil && n == tokenBytes
}

func mustRandom(b []byte) {
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
}
