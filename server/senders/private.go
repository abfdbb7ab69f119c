package senders

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
)

// errPrivate says that a host name leads to where strangers do not get.
var errPrivate = errors.New("its address is private (or otherwise not of the public internet): " +
	"set customers.webhook.allow_private_addresses if the receiver is inside your network")

// notPublic4 is what of IPv4 is nobody's on the internet (RFC 6890 and those
// that it registers).
var notPublic4 = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // behind a carrier's NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local: the metadata of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays, given up
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
)

// Of IPv6 only 2000::/3 is given out: naming that refuses loopback, unique
// local, link-local, multicast and what may come.
var (
	given6     = netip.MustParsePrefix("2000::/3")
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: IPv4 in the last four bytes
	notPublic6 = prefixes(
		"2001::/23",     // protocol assignments, Teredo among them
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4: leads to any IPv4 address
		"3fff::/20",     // documentation
	)
)

// public reports whether anybody on the internet may have the address.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("") // no prefix holds an address with a zone
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case a.Is4():
		return !anyHolds(notPublic4, a)
	case a.Is6():
		return given6.Contains(a) && !anyHolds(notPublic6, a)
	}
	return false
}

// refusePrivate is a dialer's last word before it connects: the address is
// the one that is used, whatever the name said when it was asked before.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !public(a.Addr()) {
		return errPrivate
	}
	return nil
}

func anyHolds(all []netip.Prefix, a netip.Addr) bool {
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
