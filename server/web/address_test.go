package web

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestCallerAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	const proxy = "127.0.0.1:4711"
	for _, tc := range []struct {
		name, peer string
		header     []string
		want       string // "": the zero Addr; "unknown": it cannot be read
	}{
		{"no proxy", "192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:5", nil, "192.0.2.1"},
		{"unix socket", "uid:0", []string{"203.0.113.9"}, ""},
		{"no header", proxy, nil, "127.0.0.1"},
		{"one", proxy, []string{"203.0.113.9"}, "203.0.113.9"},
		{"the last one that no proxy has", proxy, []string{"192.0.2.7, 203.0.113.9, 10.1.2.3"}, "203.0.113.9"},
		{"lines", proxy, []string{"192.0.2.7", "203.0.113.9", "10.1.2.3"}, "203.0.113.9"},
		{"only proxies", proxy, []string{"10.1.2.3, 10.1.2.4"}, "10.1.2.3"},
		{"with a port", proxy, []string{"203.0.113.9:38792"}, "203.0.113.9"},
		{"IPv6", proxy, []string{"2001:db8::5"}, "2001:db8::5"},
		{"IPv6 with a port", proxy, []string{"[2001:db8::5]:443"}, "2001:db8::5"},
		{"IPv6 in brackets", proxy, []string{"[2001:db8::5]"}, "2001:db8::5"},
		{"unknown", proxy, []string{"unknown"}, "unknown"},
		{"obfuscated", proxy, []string{"_hidden"}, "unknown"},
		{"empty", proxy, []string{""}, "unknown"},
		{"empty entry", proxy, []string{"203.0.113.9,"}, "unknown"},
		{"garbage in between", proxy, []string{"203.0.113.9, garbage, 10.1.2.3"}, "unknown"},
		{"garbage before", proxy, []string{"garbage, 203.0.113.9"}, "203.0.113.9"},
		{"IPv4 in brackets without an end", proxy, []string{"[203.0.113.9"}, "unknown"},
	} {
		got, unknown := callerAddress(&http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Forwarded-For": tc.header}}, proxies)
		text := ""
		switch {
		case unknown:
			text = unknownAddress
		case got.IsValid():
			text = got.String()
		}
		if text != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, text, tc.want)
		}
	}
}

// If every request comes from a proxy, one that does not say for whom is no caller.
func TestIsOfProxy(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, tc := range []struct {
		name, peer string
		proxies    []netip.Prefix
		header     []string
		want       bool
	}{
		{"a proxy that says it", "127.0.0.1:5", proxies, []string{"203.0.113.9"}, false},
		{"a proxy that does not", "127.0.0.1:5", proxies, nil, true},
		{"no proxy", "192.0.2.1:5", proxies, nil, false},
		{"no list of proxies", "192.0.2.1:5", nil, []string{"203.0.113.9"}, true},
		{"unix socket", "uid:0", nil, nil, false},
	} {
		r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Forwarded-For": tc.header}}
		if got := isOfProxy(r, tc.proxies); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func FuzzCallerAddress(f *testing.F) {
	f.Add("203.0.113.9:38792, garbage, 10.1.2.3")
	f.Add("[2001:db8::5%eth0]:443")
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	f.Fuzz(func(t *testing.T, header string) {
		got, unknown := callerAddress(&http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{"X-Forwarded-For": {header}}}, proxies)
		if unknown == got.IsValid() {
			t.Errorf("%q: %v, unknown %v", header, got, unknown)
		}
		if got.Zone() != "" || got.Is4In6() {
			t.Errorf("%q: %v is not in its simplest form", header, got)
		}
	})
}
