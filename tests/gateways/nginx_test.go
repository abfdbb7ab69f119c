package gateways

import (
	"os/exec"
	"testing"

	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/spawn"
)

// nginx is that of Debian's package nginx.
var nginx = Gateway{
	Name: "nginx", File: "nginx.conf", Family: gateway.Originals,
	Quirks: []Quirk{
		{"nginx refuses a second Authorization header by itself", 400, []string{"two headers", "two headers, the first is wrong"}},
		{"nginx refuses NUL, and a path above the root, by itself", 400, []string{
			"path /public/..%00/cards/12", "path /public/12%00", "path /%2e%2e/cards/12", "path that climbs out",
		}},
	},
	Start: startNginx(),
}

// startNginx starts nginx with its file, changed further by the pairs.
func startNginx(pairs ...string) func(t testing.TB, s Settings) string {
	return func(t testing.TB, s Settings) string {
		t.Helper()
		return spawn.Listening(t, func(address string) *exec.Cmd {
			dir := folder(t, map[string]string{
				"nginx.conf": read(t, "nginx.conf"),
				"grantd.conf": Fill(t, "nginx.conf", append([]string{
					"listen 443 ssl http2;", "listen " + address + " ssl http2;",
					"server 127.0.0.1:8090", "server " + s.Grantd, "server 127.0.0.1:9000", "server " + s.API,
					"/etc/nginx/api.example.com.crt", s.Certificate, "/etc/nginx/api.example.com.key", s.Key,
				}, pairs...)...),
			})
			return exec.Command("/usr/sbin/nginx", "-p", dir, "-c", dir+"/nginx.conf")
		})
	}
}
