package gateways

import (
	"os"
	"os/exec"
	"strings"
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
	Start: startHAProxy("no piece", ""),
}

// startHAProxy starts HAProxy with its files. One piece of haproxy.cfg or of grantd.lua is
// replaced.
func startHAProxy(piece, by string) func(t testing.TB, s Settings) string {
	return func(t testing.TB, s Settings) string {
		t.Helper()
		return spawn.Listening(t, func(address string) *exec.Cmd {
			question := "abns@grantd-" + address // of this machine, so not of this test alone
			dir := folder(t, map[string]string{
				"grantd.lua": strings.ReplaceAll(Fill(t, "grantd.lua", "abns@grantd", question), piece, by),
				"pair.pem":   content(t, s.Certificate) + content(t, s.Key),
			})
			cfg := Fill(t, "haproxy.cfg", "bind :443", "bind "+address, "bind abns@grantd\n", "bind "+question+"\n",
				"lua-load-per-thread /etc/haproxy/grantd.lua", "lua-load-per-thread "+dir+"/grantd.lua", "/etc/haproxy/api.example.com.pem", dir+"/pair.pem",
				"server edge 127.0.0.1:8090", "server edge "+s.Grantd, "server api 127.0.0.1:9000", "server api "+s.API)
			return exec.Command("/usr/sbin/haproxy", "-db", "-q", "-f", spawn.WriteFile(t, 0o644, strings.ReplaceAll(cfg, piece, by)))
		})
	}
}

// TestHAProxyWithoutADecision: nothing passes if the script is not called, or fails.
func TestHAProxyWithoutADecision(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	t.Parallel()
	w := newWorld(t, gateway.Originals)
	for name, change := range map[string][2]string{
		"not called": {"    http-request lua.grantd scope=accounts if accounts\n", ""},
		"fails":      {"txn.f:pathq()", "error(question)"},
	} {
		without := haproxy
		without.Start = startHAProxy(change[0], change[1])
		c := w.newCases(t, without, w.deciders()[0])
		c.check(t, row{name, request{path: "/accounts/1", token: c.good}, 503, "", nil})
		c.check(t, row{"not guarded", request{path: "/public/1"}, 200, "", nobody})
	}
}

func content(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
