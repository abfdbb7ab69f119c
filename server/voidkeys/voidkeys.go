// Package voidkeys hides what a feed entry names from those outside. Caches that
// follow revocations compare void keys and feed positions; they learn no ids from
// them. Introspection shows both to a resource server that asks for them. The package decides neither who may see them nor what is void.
//
// A void key is a keyed digest of a principal (store.Principal*): HMAC-SHA-256, cut
// to 64 bits. Two principals may share one by chance, so a void key says that a
// token may have ended, and a cache then asks again. A position is shifted by a
// secret number, and positions of one environment compare as text. The shift hides
// how long the feed is, and when it began, not the distance of two positions: that
// tells a follower how many entries were written between them, or, on Redis, how much
// time passed, which it could count and measure itself in a feed that it follows. It
// does not tell what the entries name.
//
// Both depend on one key, which every replica derives from the oldest key of the
// keyed check inside tokens (tokens.Keyring.VoidKey). It stays the same until that
// key leaves the store. Then nothing that was handed out before fits anything that is handed
// out later, and followers must drop what they have cached.
package voidkeys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/grantd/grantd/store"
)

const (
	keyBytes      = 8  // of the digest
	positionBytes = 16 // time and sequence
	// PositionLength is the length of a position as text.
	PositionLength = 26
)

// The labels derive one key for each purpose.
const (
	labelKeys      = "grantd void key"
	labelPositions = "grantd feed position"
)

// positions is base32 with an alphabet in the order of ASCII (RFC 4648 §7), so that
// text of the same length compares as the numbers do.
var positions = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// Encoder makes void keys and positions. Safe for concurrent use. Use must be called
// before any other method.
type Encoder struct{ keyed atomic.Pointer[keyed] }

type keyed struct {
	sub        []byte // key of the void keys
	generation uint64
	scratches  sync.Pool // of *scratch
	// shift is added to each position: 126 bits, so that no sum overflows.
	shiftTime, shiftSeq uint64
}

// scratch is the memory for one void key.
type scratch struct {
	hmac hash.Hash
	in   store.KeyBuffer
	sum  [sha256.Size]byte
}

// Use sets the key, which all replicas must share. Calls must not overlap.
func (e *Encoder) Use(key []byte) {
	shift, sub := derive(key, labelPositions), derive(key, labelKeys)
	var generation uint64
	if now := e.keyed.Load(); now != nil {
		if hmac.Equal(now.sub, sub) {
			return
		}
		generation = now.generation + 1
	}
	e.keyed.Store(&keyed{
		sub: sub, generation: generation,
		scratches: sync.Pool{New: func() any { return &scratch{hmac: hmac.New(sha256.New, sub)} }},
		shiftTime: binary.BigEndian.Uint64(shift) >> 2,
		shiftSeq:  binary.BigEndian.Uint64(shift[8:]),
	})
}

// Generation changes when Use is called with another key: what was made before then
// does not fit what is made afterward.
func (e *Encoder) Generation() uint64 { return e.keyed.Load().generation }

func derive(key []byte, label string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(label))
	return m.Sum(nil)
}

// AppendKey appends the void key of a principal that a token depends on: 11
// characters of base64url.
func (e *Encoder) AppendKey(b []byte, p store.Principal) []byte {
	k := e.keyed.Load()
	s := k.scratches.Get().(*scratch)
	defer k.scratches.Put(s)
	return s.append(b, p.Append(s.in[:0]))
}

// AppendTokenKey appends the void key of one access token.
func (e *Encoder) AppendTokenKey(b []byte, d store.Digest) []byte {
	k := e.keyed.Load()
	s := k.scratches.Get().(*scratch)
	defer k.scratches.Put(s)
	return s.append(b, store.AppendTokenPrincipal(s.in[:0], d))
}

// AppendKeyOf appends the void key of a principal key, as feed entries hold it.
func (e *Encoder) AppendKeyOf(b []byte, key string) []byte {
	k := e.keyed.Load()
	s := k.scratches.Get().(*scratch)
	defer k.scratches.Put(s)
	return s.append(b, append(s.in[:0], key...))
}

func (s *scratch) append(b, key []byte) []byte {
	s.hmac.Reset()
	s.hmac.Write(key)
	return base64.RawURLEncoding.AppendEncode(b, s.hmac.Sum(s.sum[:0])[:keyBytes])
}

// AppendPosition appends a position: PositionLength characters. A later position is
// greater in the order of bytes.
func (e *Encoder) AppendPosition(b []byte, p store.Position) []byte {
	k := e.keyed.Load()
	var shifted [positionBytes]byte
	seq, carry := bits.Add64(p.Seq, k.shiftSeq, 0)
	binary.BigEndian.PutUint64(shifted[:], p.Time+k.shiftTime+carry)
	binary.BigEndian.PutUint64(shifted[8:], seq)
	return positions.AppendEncode(b, shifted[:])
}

// ParsePosition reads what AppendPosition wrote. ok is false for anything that is no
// position under the present key. A position that was made up may be read as one
// that the feed does not have.
func (e *Encoder) ParsePosition(text string) (p store.Position, ok bool) {
	var shifted [positionBytes]byte
	if len(text) != PositionLength {
		return p, false
	}
	var room [PositionLength]byte
	n, err := positions.Decode(shifted[:], append(room[:0], text...))
	if err != nil || n != positionBytes {
		return p, false
	}
	k := e.keyed.Load()
	seq, borrow := bits.Sub64(binary.BigEndian.Uint64(shifted[8:]), k.shiftSeq, 0)
	at, below := bits.Sub64(binary.BigEndian.Uint64(shifted[:]), k.shiftTime, borrow)
	p = store.Position{Time: at, Seq: seq}
	again := e.AppendPosition(room[:0], p)
	return p, below == 0 && at>>62 == 0 && string(again) == text
}
