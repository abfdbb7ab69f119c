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

// TokenPrefix returns the prefix of access tokens: token.prefix, or
// gt_<environment>_ if that is "default".
func (c Config) TokenPrefix() string {
	if c.Token.Prefix == prefixDefault {
		return "gt_" + c.Environment + "_"
	}
	return c.Token.Prefix
}

// Values of customers.sender.
const (
	SenderNone    = "none"
	SenderLog     = "log"
	SenderWebhook = "webhook"
	SenderTwilio  = "twilio"
)

// CodeSender returns how codes are sent: customers.sender, or SenderLog in sandbox
// and SenderNone in live if that is empty.
func (c Config) CodeSender() string {
	switch {
	case c.Customers.Sender != "":
		return c.Customers.Sender
	case c.Live():
		return SenderNone
	}
	return SenderLog
}

// Enabled reports whether the listener itself uses TLS.
func (t TLS) Enabled() bool { return t.CertFile != "" && t.KeyFile != "" }

// TrustedPrefixes returns public.trusted_proxies as prefixes; a single address
// becomes a prefix of full length. It omits entries that Validate rejects.
func (p Public) TrustedPrefixes() []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(p.TrustedProxies))
	for _, entry := range p.TrustedProxies {
		if prefix, ok := parsePrefix(entry); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// parsePrefix reads an address or a CIDR. It rejects CIDRs of IPv4-mapped IPv6
// addresses, because netip would never match them against IPv4 peers.
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
// critical is for revocations, voids, secret changes and code use; tokens is for
// issuing tokens. With "auto", critical is 1 on Sentinel and Cluster and 0 on a
// standalone server, and tokens is 0. A number applies to both.
func (r Redis) Acks() (critical, tokens int) {
	if r.ReplicaAcks != acksAuto {
		n, _ := strconv.Atoi(string(r.ReplicaAcks)) // Load accepts only digits
		return n, n
	}
	if r.Mode == "standalone" {
		return 0, 0
	}
	return 1, 0
}
