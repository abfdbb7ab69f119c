package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// unknownAddress is how logs and audit show an address that could not be read.
const unknownAddress = "unknown"

// callerAddress finds the address of the caller. Behind a trusted proxy, it is the
// last entry of X-Forwarded-For that is not the address of another trusted proxy,
// or the first entry if all are: each proxy adds the address that it saw at the
// end (RFC 7239 §5.2 describes the same for Forwarded). An entry may have a port.
//
// unknown is true if that entry cannot be read. The address of the proxy must not
// take its place: it may be trusted where the caller is not.
func callerAddress(r *http.Request, proxies []netip.Prefix) (address netip.Addr, unknown bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false // a unix socket
	}
	address = clean(peer.Addr())
	if len(proxies) == 0 || !trusted(proxies, address) {
		return address, false
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var entry string
			if at := strings.LastIndexByte(rest, ','); at >= 0 {
				rest, entry = rest[:at], rest[at+1:]
			} else {
				entry, more = rest, false
			}
			if address, err = ParseForwarded(entry); err != nil {
				return netip.Addr{}, true
			}
			if !trusted(proxies, address) {
				return address, false
			}
		}
	}
	return address, false
}

// isOfProxy reports whether the address that callerAddress finds is that of a proxy,
// although every request comes through one: no proxy says for whom. Without a list of
// proxies every peer is one.
func isOfProxy(r *http.Request, proxies []netip.Prefix) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false // a unix socket
	}
	return len(proxies) == 0 || len(r.Header["X-Forwarded-For"]) == 0 && trusted(proxies, clean(peer.Addr()))
}

// ParseForwarded reads an entry of X-Forwarded-For: an address, or an address and a
// port, for IPv6 in brackets.
func ParseForwarded(entry string) (netip.Addr, error) {
	entry = strings.Trim(entry, " \t")
	if a, err := netip.ParseAddr(entry); err == nil {
		return clean(a), nil
	}
	if p, err := netip.ParseAddrPort(entry); err == nil {
		return clean(p.Addr()), nil
	}
	inner, ok := strings.CutPrefix(entry, "[")
	if inner, ok2 := strings.CutSuffix(inner, "]"); ok && ok2 {
		entry = inner
	}
	a, err := netip.ParseAddr(entry)
	return clean(a), err
}

func clean(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func trusted(proxies []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}
