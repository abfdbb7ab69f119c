package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/grantd/grantd/server/web"
)

// Family is the family of headers in which the gateway states the original request.
// Headers of the other family are ignored: a gateway that does not set them passes on
// what its callers sent.
type Family string

// The families.
const (
	Forwarded Family = "forwarded" // X-Forwarded-Method, -Uri and -For: Traefik, Caddy
	Originals Family = "original"  // X-Original-Method and -URI, X-Real-IP: nginx
)

// Families lists them.
var Families = []string{string(Forwarded), string(Originals)}

// names are the headers of a family, as net/http writes them.
type names struct{ method, uri string }

var headers = map[Family]names{
	Forwarded: {"X-Forwarded-Method", "X-Forwarded-Uri"},
	Originals: {"X-Original-Method", "X-Original-Uri"},
}

// read returns the original request. A header that is repeated states nothing: the
// gateway did not replace what its caller sent.
func (f Family) read(h http.Header, proxies []netip.Prefix) Original {
	n := headers[f]
	o := Original{Method: single(h[n.method]), URI: single(h[n.uri])}
	if f == Originals {
		o.From, _ = web.ParseForwarded(single(h["X-Real-Ip"]))
	} else {
		o.From = lastForwarded(h["X-Forwarded-For"], proxies)
	}
	return o
}

func single(lines []string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	return ""
}

// lastForwarded returns the last entry of X-Forwarded-For that is not the address of a
// trusted proxy; the zero Addr if there is none or it cannot be read.
func lastForwarded(lines []string, proxies []netip.Prefix) netip.Addr {
	for _, line := range slices.Backward(lines) {
		for rest, more := line, true; more; {
			entry := rest
			if at := strings.LastIndexByte(rest, ','); at >= 0 {
				rest, entry = rest[:at], rest[at+1:]
			} else {
				more = false
			}
			address, err := web.ParseForwarded(entry)
			if err != nil {
				return netip.Addr{}
			}
			if !contains(proxies, address) {
				return address
			}
		}
	}
	return netip.Addr{}
}

func contains(ranges []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}
