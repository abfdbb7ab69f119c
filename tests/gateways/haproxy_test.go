package gateways

import (
	"os"
	"os/exec"
	"testing"

	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/spawn"
)

// haproxy is that of Debian's package haproxy.
var haproxy = Gateway{
	Name: "HAProxy", File: "haproxy.cfg", Family: gateway.Originals,
	Quirks: []Quirk{
		{"HAProxy refuses a path with # or with bytes that are not ASCII by itself", 400, []string{"path /cards/12#", "path /public/#/../../cards/12", "path with bytes that are not ASCII"}},
	},
	Start: func(t testing.TB, s Settings) string {
		t.Helper()
		return spawn.Listening(t, func(address string) *exec.Cmd {
			question := "abns@grantd-" + address // of this machine, so not of this test alone
			dir := folder(t, map[string]string{
				"grantd.lua": Fill(t, "grantd.lua", "abns@grantd", question),
				"pair.pem":   content(t, s.Certificate) + content(t, s.Key),
			})
			cfg := Fill(t, "haproxy.cfg", "bind :443", "bind "+address, "bind abns@grantd\n", "bind "+question+"\n",
				"lua-load-per-thread /etc/haproxy/grantd.lua", "lua-load-per-thread "+dir+"/grantd.lua", "/etc/haproxy/api.example.com.pem", dir+"/pair.pem",
				"server edge 127.0.0.1:8090", "server edge "+s.Grantd, "server api 127.0.0.1:9000", "server api "+s.API)
			return exec.Command("/usr/sbin/haproxy", "-db", "-q", "-f", spawn.WriteFile(t, 0o644, cfg))
		})
	},
}

func content(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
