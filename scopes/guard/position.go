package guard

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// position is a place in the feed of the authorization server. Later ones are
// greater. Positions and void keys are opaque: the guard only compares them.
type position struct{ hi, lo uint64 }

const (
	positionLength = 26
	voidKeyLength  = 11
	voidKeyBytes   = 8
)

var (
	errPosition = errors.New("a feed position is malformed")
	errVoidKey  = errors.New("a void key is malformed")
)

// positions is base32 in the order of ASCII (RFC 4648 §7).
var positions = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// voidKeys refuses text that is not the only form of a key.
var voidKeys = base64.RawURLEncoding.Strict()

// parsePosition reads a position, of which there is only one form.
func parsePosition(s string) (position, error) {
	var raw [16]byte
	if len(s) != positionLength {
		return position{}, errPosition
	}
	var room [positionLength]byte
	copy(room[:], s)
	if n, err := positions.Decode(raw[:], room[:]); err != nil || n != len(raw) {
		return position{}, errPosition
	}
	p := position{binary.BigEndian.Uint64(raw[:]), binary.BigEndian.Uint64(raw[8:])}
	if p.String() != s {
		return position{}, errPosition
	}
	return p, nil
}

// String returns what parsePosition reads.
func (p position) String() string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], p.hi)
	binary.BigEndian.PutUint64(raw[8:], p.lo)
	return positions.EncodeToString(raw[:])
}

// after reports whether p is later than q.
func (p position) after(q position) bool { return p.hi > q.hi || p.hi == q.hi && p.lo > q.lo }

// parseVoidKey reads a void key.
func parseVoidKey(s string) (uint64, error) {
	var raw [voidKeyBytes + 1]byte // Decode wants room for a whole group
	if len(s) != voidKeyLength {
		return 0, errVoidKey
	}
	if n, err := voidKeys.Decode(raw[:], []byte(s)); err != nil || n != voidKeyBytes {
		return 0, errVoidKey
	}
	return binary.BigEndian.Uint64(raw[:]), nil
}
