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

func TestRangesCover(t *testing.T) {
	for _, c := range []struct {
		outer, inner []string
		want         bool
	}{
		{nil, nil, true},
		{[]string{"10.0.0.0/8"}, nil, true},
		{nil, []string{"10.0.0.0/8"}, false},
		{[]string{"10.0.0.0/8"}, []string{"10.0.0.0/8", "10.255.255.255", "10.1.0.0/16"}, true},
		{[]string{"10.0.0.0/8"}, []string{"10.0.0.0/7"}, false},
		{[]string{"10.0.0.0/8"}, []string{"10.0.0.1", "11.0.0.0"}, false},
		{[]string{"10.0.0.0/8"}, []string{"::ffff:10.1.2.3", "::ffff:10.0.0.0/104"}, true},
		{[]string{"::/0"}, []string{"10.0.0.1"}, false},
		{[]string{"0.0.0.0/0"}, []string{"2001:db8::1"}, false},
		{[]string{"2001:db8::/32", "192.0.2.7"}, []string{"192.0.2.7/32", "2001:DB8:1::/48"}, true},
		{[]string{"10.0.0.0/9", "10.128.0.0/9"}, []string{"10.0.0.0/8"}, false}, // only both together
		{[]string{"no range"}, []string{"10.0.0.1"}, false},
		{[]string{"0.0.0.0/0"}, []string{"no range"}, false},
	} {
		if got := RangesCover(c.outer, c.inner); got != c.want {
			t.Errorf("%v cover %v: %v", c.outer, c.inner, got)
		}
	}
}
