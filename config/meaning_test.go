package config

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTokenPrefix(t *testing.T) {
	tests := []struct{ environment, prefix, want string }{
		{"sandbox", "default", "gt_sandbox_"},
		{"live", "default", "gt_live_"},
		{"live", "", ""},
		{"live", "acme-", "acme-"},
	}
	for _, test := range tests {
		c := Defaults()
		c.Environment, c.Token.Prefix = test.environment, test.prefix
		if got := c.TokenPrefix(); got != test.want {
			t.Errorf("%s, %q: %q, want %q", test.environment, test.prefix, got, test.want)
		}
	}
}

func TestCodeSender(t *testing.T) {
	for _, test := range []struct{ environment, sender, want string }{
		{"sandbox", "", "log"},
		{"live", "", "none"},
		{"sandbox", "none", "none"},
		{"live", "webhook", "webhook"},
	} {
		c := Defaults()
		c.Environment, c.Customers.Sender = test.environment, test.sender
		if got := c.CodeSender(); got != test.want {
			t.Errorf("%s, %q: %s, want %s", test.environment, test.sender, got, test.want)
		}
	}
}

func TestAcks(t *testing.T) {
	tests := []struct {
		mode             string
		acks             ReplicaAcks
		critical, tokens int
	}{
		{"standalone", "auto", 0, 0},
		{"sentinel", "auto", 1, 0},
		{"cluster", "auto", 1, 0},
		{"cluster", "0", 0, 0},
		{"standalone", "2", 2, 2},
	}
	for _, test := range tests {
		critical, tokens := Redis{Mode: test.mode, ReplicaAcks: test.acks}.Acks()
		if critical != test.critical || tokens != test.tokens {
			t.Errorf("%s, %s: %d and %d, want %d and %d", test.mode, test.acks, critical, tokens, test.critical, test.tokens)
		}
	}
}

func TestTrustedPrefixes(t *testing.T) {
	p := Public{TrustedProxies: []string{"192.0.2.7", "10.1.2.3/8", "fd00::/8", "::ffff:192.0.2.8", "nonsense", "fe80::1%eth0"}}
	got := p.TrustedPrefixes()
	want := []netip.Prefix{
		netip.MustParsePrefix("192.0.2.7/32"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("fd00::/8"),
		netip.MustParsePrefix("192.0.2.8/32"),
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
