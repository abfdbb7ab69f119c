package partners

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/field"
)

// FuzzSourceIP checks that sourceIp is accepted only as a short list of ranges
// in one form, which contains the addresses that were written and which is read
// back as the same list.
func FuzzSourceIP(f *testing.F) {
	for _, s := range []string{
		"", ",", "192.0.2.1", "192.0.2.1,2001:db8::/32", "192.0.2.77/24", "::ffff:192.0.2.1", "::ffff:192.0.2.0/120", "::ffff:0:0/64", "::/0", "0.0.0.0/0",
		" 192.0.2.1", "192.0.2.1, 192.0.2.2", "fe80::1%eth0", "fe80::%1/64", "192.0.2.01", "192.0.2.1:443", "[::1]", "localhost", "192.0.2.1/33", "192.0.2.1/-0", "192.0.2.1\n",
		strings.Repeat("192.0.2.1,", maxSourceIPs-1) + "192.0.2.2", strings.Repeat("192.0.2.1,", maxSourceIPs) + "192.0.2.2", strings.Repeat("1", maxSourceIPLen+1),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseSourceIPs(&text)
		if err != nil {
			if !errors.Is(err, errSourceIP) || list != nil {
				t.Errorf("%q: %v and error %v", text, list, err)
			}
			return
		}
		written := strings.Split(text, ",")
		if len(list) == 0 || len(list) > len(written) || len(written) > maxSourceIPs || strings.ContainsAny(text, " %\n\t[]") {
			t.Fatalf("%q: %q", text, list)
		}
		for i, s := range list {
			p, err := field.ParseRange(s)
			if err != nil || p != p.Masked() || p.Addr().Is4In6() || p.Addr().Zone() != "" || slices.Contains(list[:i], s) {
				t.Errorf("%q: %q is not in the one form: %v", text, s, err)
			}
		}
		for _, s := range written {
			address, bits := s, -1
			if a, err := netip.ParseAddr(s); err == nil {
				bits = a.Unmap().BitLen()
			} else {
				address, _, _ = strings.Cut(s, "/")
			}
			a, err := netip.ParseAddr(address)
			if err != nil || !field.RangesContain(list, a) || !field.RangesContain(list, a.Unmap()) {
				t.Errorf("%q is not in %q: %v", s, list, err)
			}
			if bits > 0 && len(written) == 1 && field.RangesContain(list, a.Next()) {
				t.Errorf("%q is more than one address: %q", s, list)
			}
		}
		joined := strings.Join(list, ",")
		if again, err := parseSourceIPs(&joined); err != nil || !slices.Equal(again, list) {
			t.Errorf("%q is read again as %q: %v", list, again, err)
		}
	})
}
