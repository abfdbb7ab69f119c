package field

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

var errMapped = errors.New("a range of IPv4-mapped addresses has at least 96 bits")

// ParseRange reads an address or a CIDR. An address is a range of one.
func ParseRange(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, err
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 { // a range of IPv6, which nobody means by an IPv4 address
			return p, errMapped
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// CleanRanges returns the addresses and CIDRs in their canonical form, without
// repeats. ok is false if one of them is neither, or has a zone.
func CleanRanges(list []string) (clean []string, ok bool) {
	for _, s := range list {
		p, err := ParseRange(s)
		if err != nil || strings.Contains(s, "%") {
			return nil, false
		}
		text := p.String()
		if p.IsSingleIP() {
			text = p.Addr().String()
		}
		if !slices.Contains(clean, text) {
			clean = append(clean, text)
		}
	}
	return clean, true
}

// RangesContain reports whether one of the addresses or CIDRs covers addr. IPv4
// addresses that are mapped into IPv6 count as IPv4.
func RangesContain(list []string, addr netip.Addr) bool {
	addr = addr.Unmap()
	return slices.ContainsFunc(list, func(s string) bool {
		p, err := ParseRange(s)
		return err == nil && p.Contains(addr)
	})
}

// RangesCover reports whether every address that one of inner covers is covered by one
// of outer. It returns false for a range that is covered only by several together.
func RangesCover(outer, inner []string) bool {
	return !slices.ContainsFunc(inner, func(s string) bool {
		in, err := ParseRange(s)
		return err != nil || !slices.ContainsFunc(outer, func(s string) bool {
			out, err := ParseRange(s)
			return err == nil && out.Bits() <= in.Bits() && out.Contains(in.Addr())
		})
	})
}

// Network returns what counts as one network: an IPv4 address, or the /64 of an IPv6
// address, because a provider gives a whole /64 to one customer. For the zero Addr,
// it is the zero Prefix.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
