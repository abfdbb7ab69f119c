package config

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"listen", "cors_origins", "trusted_proxies", "ttl", "prefix", "users:read", "users:write"}
	for word, want := range map[string]string{
		"lisen": "listen", "listne": "listen", "LISTEN": "", "user:read": "users:read", "users:raed": "users:read",
		"trusted_proxy": "", "tll": "ttl", "tt": "", "x": "", "": "", "colour": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
