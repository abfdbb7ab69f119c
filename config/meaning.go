package config

import (
	"net/netip"
	"strconv"
	"strings"
)

const (
	acksAuto      = "auto"
	prefixDefault = "default"
)

// Live reports whether this is the live environment rather than the sandbox.
func (c Config) Live() bool { return c.Environment == "live" }

// TokenPrefix returns what access tokens begin with: token.prefix, or
// gt_<environment>_ where that is "default".
func (c Config) TokenPrefix() string {
	if c.Token.Prefix == prefixDefault {
		return "gt_" + c.Environment + "_"
	}
	return c.Token.Prefix
}

// Enabled reports whether the listener speaks TLS itself.
func (t TLS) Enabled() bool { return t.CertFile != "" && t.KeyFile != "" }

// TrustedPrefixes returns public.trusted_proxies, a single address as the
// prefix that holds it alone. Entries that Validate refuses are left out.
func (p Public) TrustedPrefixes() []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(p.TrustedProxies))
	for _, entry := range p.TrustedProxies {
		if prefix, ok := parsePrefix(entry); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// parsePrefix reads an address or a CIDR. IPv4 addresses mapped into IPv6 are
// refused in CIDRs, where netip would never match them against IPv4 peers.
func parsePrefix(entry string) (netip.Prefix, bool) {
	if strings.Contains(entry, "/") {
		prefix, err := netip.ParsePrefix(entry)
		if err != nil || prefix.Addr().Is4In6() {
			return netip.Prefix{}, false
		}
		return prefix.Masked(), true
	}
	addr, err := netip.ParseAddr(entry)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// Acks returns how many replicas must acknowledge a write before it counts:
// critical for revocations, voids, secret changes and code use, tokens for the
// issue of tokens. With "auto" that is one and none on Sentinel and Cluster,
// and none at all on a standalone server; a number holds for both.
func (r Redis) Acks() (critical, tokens int) {
	if r.ReplicaAcks != acksAuto {
		n, _ := strconv.Atoi(string(r.ReplicaAcks)) // Load took digits only
		return n, n
	}
	if r.Mode == "standalone" {
		return 0, 0
	}
	return 1, 0
}
