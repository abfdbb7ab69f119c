package config

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxOrigins bounds public.cors_origins: it lists the apps of one operator.
const maxOrigins = 100

const pathOrigins = "public.cors_origins"

// origins checks the origins of web pages. Each must be written as browsers send it,
// because grantd compares it character by character (RFC 6454 §6.2).
func (v *validator) origins(list []string, live bool) {
	if len(list) > maxOrigins {
		v.add(pathOrigins, "must have at most %d entries", maxOrigins)
		return
	}
	for i, entry := range list {
		problem := originProblem(entry)
		switch {
		case problem != "":
		case slices.Index(list, entry) < i:
			problem = "is repeated"
		case live && !isHTTPS(entry) && !loopbackOrigin(entry):
			problem = "must be https in live, because others on the network of a customer can change a page that comes over http; " +
				"http is only for pages on loopback"
		}
		if problem != "" {
			v.add(pathOrigins, "entry %d %s", i+1, problem)
		}
	}
}

// originProblem returns why the entry is not an origin as browsers send it, or "" if
// it is one. The text holds no user name or password of the entry.
func originProblem(entry string) string {
	const example = "such as https://app.example.com"
	switch {
	case strings.Contains(entry, "*"):
		return "must not contain *: list each origin that may call, " + example
	case strings.ContainsFunc(entry, unicode.IsSpace):
		return "must not contain a space: an entry is one origin, " + example + ", and in GRANTD_PUBLIC_CORS_ORIGINS commas separate them"
	case entry == "null":
		return "must not be null, which is the origin of any sandboxed frame and any local file: list the origin of the app, " + example
	}
	u, err := url.Parse(entry)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "must be an origin, " + example
	case u.Scheme != "https" && u.Scheme != "http":
		return "must begin with https:// or http://"
	case u.User != nil:
		return "must not contain a user name or password"
	case !validOriginHost(u.Hostname()), strings.HasSuffix(u.Host, ":"), u.Port() != "" && !validOriginPort(u.Port()):
		return "must contain a host name in ASCII (xn--… for others), and a port, if any, from 1 to 65535"
	}
	if origin := originOf(u); origin != entry {
		return "must be written as browsers send it: " + quote(origin)
	}
	return ""
}

// originOf returns the origin of the URL as browsers send it: scheme and host in lower
// case, without the default port of the scheme (RFC 6454 §6.2).
func originOf(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.String()
		if addr.Is6() {
			host = "[" + host + "]"
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		port = strconv.FormatUint(n, 10)
	}
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return u.Scheme + "://" + host
	}
	return u.Scheme + "://" + host + ":" + port
}

func validOriginHost(host string) bool { return validHost(host) && !strings.Contains(host, "%") }

func validOriginPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// loopbackOrigin reports whether the origin is of a page on the machine of the browser.
func loopbackOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (isLoopback(net.JoinHostPort(u.Hostname(), "0")) || strings.HasSuffix(u.Hostname(), ".localhost"))
}

// origins warns about pages that are not those of a finished app, and of a listener
// that no page can call.
func (w *warner) origins(c Config) {
	if i := slices.IndexFunc(c.Public.CORSOrigins, loopbackOrigin); i >= 0 && c.Live() {
		w.add(pathOrigins, "%s is a page on the customer's own machine, as developers have them: any program there can serve it; "+
			"remove it if nobody develops against live", quote(c.Public.CORSOrigins[i]))
	}
	if len(c.Public.CORSOrigins) > 0 && c.Public.TLS.ClientCAFile != "" {
		w.add(pathOrigins, "has no effect with public.tls.client_ca_file: browsers ask whether a page may call without a certificate "+
			"(the preflight of CORS), so the connection is refused")
	}
}
