package gateways

import (
	"net"
	"os/exec"
	"testing"

	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/spawn"
)

// caddy is that of Debian's package caddy.
var caddy = Gateway{
	Name: "Caddy", File: "Caddyfile", Family: gateway.Forwarded,
	Quirks: []Quirk{
		{"with this file, Caddy refuses every path that does not begin with a slash", 403, []string{"whole URI"}},
	},
	Start: startCaddy(),
}

// startCaddy starts Caddy with its file, changed further by the pairs.
func startCaddy(pairs ...string) func(t testing.TB, s Settings) string {
	return func(t testing.TB, s Settings) string {
		t.Helper()
		return spawn.Listening(t, func(address string) *exec.Cmd {
			// It serves every name of the address.
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			dir := folder(t, map[string]string{
				"Caddyfile": read(t, "Caddyfile"),
				"grantd.caddyfile": Fill(t, "Caddyfile", append([]string{
					"api.example.com {\n", "https://:" + port + " {\n\tbind 127.0.0.1\n",
					"forward_auth 127.0.0.1:8090", "forward_auth " + s.Grantd, "reverse_proxy 127.0.0.1:9000", "reverse_proxy " + s.API,
					"/etc/caddy/api.example.com.crt", s.Certificate, "/etc/caddy/api.example.com.key", s.Key,
				}, pairs...)...),
			})
			return exec.Command("/usr/bin/caddy", "run", "--config", dir+"/Caddyfile")
		})
	}
}
