package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Prefixes of trusted proxies below these lengths hold more than the networks that
// the proxies of one operator are in, unless they are for private use.
const (
	widestIPv4 = 16
	widestIPv6 = 32
)

// ownNetworks are those that no stranger can call from over the internet.
var ownNetworks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), // loopback
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), // of one link
	netip.MustParsePrefix("100.64.0.0/10"), // behind a carrier's NAT, also inside clouds
}

// muchMore times what the default allows is as good as no limit.
const muchMore = 100

// Warnings returns what the configuration allows although it is risky. Like
// Validate, it checks only the values. A configuration without settings has no
// warnings.
func (c Config) Warnings() Faults {
	var w warner
	w.limits(c)
	w.proxies(c.Public)
	w.forwardAuth(c)
	w.origins(c)
	w.listeners(c)
	w.customers(c)
	w.traces(c)
	if c.Store.Backend == "redis" {
		w.redis(c.Store.Redis)
	}
	return w.Faults
}

// warner collects warnings. Each method has those of one part.
type warner struct{ Faults }

// limits warns about every limit that is on by default and is not enforced, or
// hardly.
func (w *warner) limits(c Config) {
	defaults := Defaults()
	periods := map[string]key{} // of each limit, by its section
	for _, k := range allKeys() {
		if section, name := k.parts(); name == "per" {
			periods[section] = k
		}
	}
	for _, k := range allKeys() {
		if !strings.HasPrefix(k.path, "limits.") {
			continue
		}
		section, name := k.parts()
		switch value := k.in(&c).Interface(); {
		case name == "count" && value == 0 && k.in(&defaults).Interface() != 0:
			w.add(k.path, "is 0, which switches the limit off; the default is %v", k.in(&defaults).Interface())
		case name == "count":
			is, usual := limitOf(&c, k, periods[section]), limitOf(&defaults, k, periods[section])
			if usual.Count > 0 && is.Per > 0 && is.exceeds(muchMore, usual) {
				w.add(k.path, "is %d in %s, more than %d times the default of %d in %s, so it hardly limits anything; set what one caller needs",
					is.Count, formatDuration(is.Per), muchMore, usual.Count, formatDuration(usual.Per))
			}
		case name == "mode" && value == "log":
			w.add(k.path, "is log, so the limit refuses nothing; set it to enforce when the log shows that the count is right")
		}
	}
}

// limitOf returns the limit that the two keys have in the configuration.
func limitOf(c *Config, count, per key) Limit {
	return Limit{Count: int(count.in(c).Int()), Per: time.Duration(per.in(c).Int())}
}

// exceeds reports whether l allows more than that many times what the other does.
func (l Limit) exceeds(times float64, other Limit) bool {
	return float64(l.Count)*float64(other.Per) > times*float64(other.Count)*float64(l.Per)
}

func (w *warner) proxies(p Public) {
	const path = "public.trusted_proxies"
	if p.BehindTLSProxy && len(p.TrustedProxies) == 0 {
		w.add(path, "is empty although public.behind_tls_proxy is set: all callers seem to have the address of the proxy, "+
			"so limits and allowed addresses do not tell them apart, and requests without TLS are not noticed; "+
			"list the addresses of the proxy, as live requires")
	}
	if i := slices.IndexFunc(p.TrustedPrefixes(), isWide); i >= 0 {
		w.add(path, "%s holds addresses of others, who could then claim any address in X-Forwarded-For; "+
			"list only the addresses of your proxies", p.TrustedPrefixes()[i])
	}
}

func (w *warner) forwardAuth(c Config) {
	if len(c.ForwardAuth.Policies) > 0 && len(c.Public.TrustedProxies) == 0 {
		w.add("forward_auth.policies", "has no effect, because public.trusted_proxies is empty: nobody may ask /forward-auth; list the addresses of your gateways there")
	}
}

func isWide(p netip.Prefix) bool {
	for _, own := range ownNetworks {
		if own.Bits() <= p.Bits() && own.Contains(p.Addr()) {
			return false
		}
	}
	if p.Addr().Is4() {
		return p.Bits() < widestIPv4
	}
	return p.Bits() < widestIPv6
}

func (w *warner) listeners(c Config) {
	if c.Admin.Listen != "" && !isLoopback(c.Admin.Listen) && !c.Admin.TLS.Enabled() {
		w.add("admin.listen", "is open to other machines without TLS: tokens with admin:write, and new secrets, cross the network in the clear "+
			"between the proxy and grantd; set admin.tls.cert_file and admin.tls.key_file, or listen on loopback")
	}
	if c.Metrics.Listen != "" && !isLoopback(c.Metrics.Listen) {
		w.add("metrics.listen", "is open to other machines, without TLS and without a password; "+
			"listen on loopback, or let only your Prometheus reach the port")
	}
}

func (w *warner) customers(c Config) {
	if c.Live() && c.Customers.PhoneKeyFile == "" {
		w.add("customers.phone_key_file", "is empty, so the phone numbers of customers are in clear text in the store, in its copies and in backups; "+
			"set it to a file with a key")
	}
}

func (w *warner) redis(r Redis) {
	if acks, _ := r.Acks(); acks == 0 && r.Mode != "standalone" {
		w.add("store.redis.replica_acks", "is 0 although store.redis.mode is %s: a failover can lose what has just ended tokens and secrets; "+
			"leave it at auto", r.Mode)
	}
	i := slices.IndexFunc(r.Addresses, func(address string) bool { return !isSocket(address) && !isLoopback(address) })
	if i < 0 {
		return
	}
	if !r.TLS.Enabled {
		w.add("store.redis.tls.enabled", "is false although %s is another machine: anyone who can change the traffic can make tokens active; "+
			"set it to true, with store.redis.tls.ca_file if the authority is your own", quote(r.Addresses[i]))
	}
	if r.PasswordFile == "" {
		w.add("store.redis.password_file", "is empty although %s is another machine: any program that reaches it can read and change everything; "+
			"give Redis a password", quote(r.Addresses[i]))
	}
}
