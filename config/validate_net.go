package config

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

const (
	notYet      = "%s is not in this version; leave the key empty"
	maxHostname = 253 // RFC 1035 section 2.3.4, as text
)

// hostname requires a letter in the last label, so it does not match 256.0.0.1.
var hostname = regexp.MustCompile(`^([A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]*[A-Za-z][A-Za-z0-9_-]*\.?$`)

func (v *validator) listeners(c Config) {
	v.public(c.Public)
	v.origins(c.Public.CORSOrigins, c.Live())
	if c.Live() && c.Public.BehindTLSProxy && len(c.Public.TrustedProxies) == 0 {
		v.add("public.trusted_proxies", "must not be empty in live with public.behind_tls_proxy: list the addresses of the proxy, "+
			"so that grantd can tell callers apart and refuse requests that came without TLS")
	}
	v.admin(c)
	if c.Metrics.Listen != "" {
		v.listen("metrics.listen", c.Metrics.Listen)
	}
	v.absent("console.listen", c.Console.Listen, "the web console")
}

func (v *validator) public(p Public) {
	usable := v.listen("public.listen", p.Listen)
	plain := p.TLS.CertFile == "" && p.TLS.KeyFile == "" && !p.BehindTLSProxy
	if usable && plain && !isLoopback(p.Listen) {
		v.add("public.listen", "must not be open to other machines without TLS: set public.tls.cert_file and public.tls.key_file, "+
			"or public.behind_tls_proxy if a proxy in front terminates TLS")
	}
	for i, entry := range p.TrustedProxies {
		if _, ok := parsePrefix(entry); !ok {
			v.add("public.trusted_proxies", "entry %d must be an IP address or a CIDR such as 10.0.0.0/8, not %s", i+1, quote(entry))
		}
	}
	v.tls("public.tls", p.TLS)
}

// admin checks the admin listeners. TCP follows the same rule as public.listen:
// TLS, unless it is on loopback.
func (v *validator) admin(c Config) {
	a := c.Admin
	v.needed("admin.socket", a.Socket, "the admin commands reach the server through it")
	if len(a.Socket) > maxSocketPath {
		v.add("admin.socket", "must be at most %d bytes, the longest path that the system allows for a socket", maxSocketPath)
	}
	v.tls("admin.tls", a.TLS)
	if a.Listen == "" {
		if a.TLS != (TLS{}) {
			v.add("admin.tls", "has no effect without admin.listen: set that, or leave admin.tls empty")
		}
		return
	}
	if v.listen("admin.listen", a.Listen) && !a.TLS.Enabled() && !c.Public.BehindTLSProxy && !isLoopback(a.Listen) {
		v.add("admin.listen", "must not be open to other machines without TLS: set admin.tls.cert_file and admin.tls.key_file, "+
			"or public.behind_tls_proxy if a proxy in front terminates TLS")
	}
}

// tls checks that the files of a listener are set together.
func (v *validator) tls(path string, t TLS) {
	switch {
	case t.CertFile == "" && t.KeyFile != "":
		v.add(path+".cert_file", "must be set, because %s.key_file is", path)
	case t.CertFile != "" && t.KeyFile == "":
		v.add(path+".key_file", "must be set, because %s.cert_file is", path)
	case t.ClientCAFile != "" && !t.Enabled():
		v.add(path+".client_ca_file", "needs %s.cert_file and %s.key_file", path, path)
	}
}

// absent refuses a key that is reserved for a later version.
func (v *validator) absent(path, value, what string) {
	if value != "" {
		v.add(path, notYet, what)
	}
}

// listen reports whether address can be listened on. Port 0 means any.
func (v *validator) listen(path, address string) bool {
	host, port, ok := splitAddress(address)
	if ok && (host == "" || validHost(host)) && validPort(port) {
		return true
	}
	v.add(path, "must be host:port, such as 127.0.0.1:8080 or [::1]:8080, not %s", quote(address))
	return false
}

// endpoint checks a URL that grantd calls, if it is set.
func (v *validator) endpoint(path, raw string, live bool) {
	if raw == "" {
		return
	}
	if problem := urlProblem(raw); problem != "" {
		v.add(path, "%s", problem)
	} else if live && !isHTTPS(raw) {
		v.add(path, "must be an https URL in live")
	}
}

func splitAddress(address string) (host, port string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	return host, port, err == nil
}

func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return len(host) <= maxHostname && hostname.MatchString(host)
}

func validPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

func isLoopback(address string) bool {
	host, _, _ := splitAddress(address)
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func isHTTPS(raw string) bool { return strings.HasPrefix(raw, "https://") }

// urlProblem returns why raw is not an absolute http or https URL without user
// information and fragment, or "" if it is one. The text does not contain raw,
// which could contain a password.
func urlProblem(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.String() != raw:
		return "is not a URL in normal form, such as https://auth.example.com"
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return "must be an absolute http or https URL, such as https://auth.example.com"
	case u.User != nil:
		return "must not contain a user name or password"
	case u.Fragment != "":
		return "must not have a fragment"
	case !validHost(u.Hostname()), strings.HasSuffix(u.Host, ":"), u.Port() != "" && !validPort(u.Port()):
		return "must contain a host name, and a port, if any, from 0 to 65535"
	}
	return ""
}

// cleanURLPath reports whether a URL's path is empty or in its shortest form.
func cleanURLPath(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Path == "" || u.Path != "/" && path.Clean(u.Path) == u.Path)
}
