package lastuse

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
)

// addressSet counts different addresses, approximately and in fixed space: each
// sets one of 256 bits, and the number of bits that are still 0 says about how
// many there were (linear counting). Beyond some hundred it is only a lower
// bound.
type addressSet [4]uint64

const addressBits = 256

func (s *addressSet) add(a netip.Addr) {
	b := a.As16() // one value for 192.0.2.1 and ::ffff:192.0.2.1; zero if the address is unknown
	h := binary.BigEndian.Uint64(b[:8])*0x9e3779b97f4a7c15 ^ binary.BigEndian.Uint64(b[8:])*0xc2b2ae3d27d4eb4f
	h = (h ^ h>>32) * 0xff51afd7ed558ccd
	bit := h >> 56
	s[bit/64] |= 1 << (bit % 64)
}

func (s *addressSet) merge(other addressSet) {
	for i := range s {
		s[i] |= other[i]
	}
}

// estimate returns about how many addresses were added.
func (s *addressSet) estimate() int64 {
	ones := 0
	for _, word := range s {
		ones += bits.OnesCount64(word)
	}
	zeros := max(addressBits-ones, 1)
	return int64(math.Round(-addressBits * math.Log(float64(zeros)/addressBits)))
}
