package signedpost

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
)

// errPrivate means that a host name leads to an address that is not public.
var errPrivate = errors.New("its address is private (or otherwise not on the public internet)")

// privateError is errPrivate, and says which setting allows such an address.
type privateError struct{ setting string }

func (e privateError) Error() string {
	return errPrivate.Error() + ": set " + e.setting + ".allow_private_addresses if the receiver is inside your network"
}

func (e privateError) Is(target error) bool { return target == errPrivate }

// notPublic4 holds the IPv4 ranges that are not on the public internet: the
// special-purpose registry of RFC 6890.
var notPublic4 = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // behind a carrier's NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local: the metadata of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays, deprecated
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
)

// Only 2000::/3 of IPv6 is allocated for public use. Everything else is refused:
// loopback, unique local, link-local, multicast and what may be defined later.
var (
	public6    = netip.MustParsePrefix("2000::/3")
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: IPv4 in the last four bytes
	notPublic6 = prefixes(
		"2001::/23",     // protocol assignments, Teredo among them
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4: can lead to any IPv4 address
		"3fff::/20",     // documentation
	)
)

// public reports whether the address can be on the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("") // Contains is false for every address with a zone
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case a.Is4():
		return !anyContains(notPublic4, a)
	case a.Is6():
		return public6.Contains(a) && !anyContains(notPublic6, a)
	}
	return false
}

// refusePrivate returns a function that a dialer calls just before it connects, with
// the address that it uses, whatever an earlier lookup of the name returned.
func refusePrivate(setting string) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !public(a.Addr()) {
			return privateError{setting}
		}
		return nil
	}
}

func anyContains(all []netip.Prefix, a netip.Addr) bool {
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func prefixes(all ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(all))
	for i, p := range all {
		parsed[i] = netip.MustParsePrefix(p)
	}
	return parsed
}
