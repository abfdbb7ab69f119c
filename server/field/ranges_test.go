package field

import (
	"net/netip"
	"testing"
)

func TestRangesContain(t *testing.T) {
	list := []string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::ffff:198.51.100.0/120", "no range"}
	for addr, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, "9.255.255.255": false,
		"192.0.2.7": true, "192.0.2.8": false, "::ffff:10.1.2.3": true, "2001:db8::1": true, "2001:db9::": false,
		"198.51.100.255": true, "198.51.101.0": false,
	} {
		if got := RangesContain(list, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if RangesContain([]string{"0.0.0.0/0", "::/0"}, netip.Addr{}) {
		t.Error("no address is in a range")
	}
}
