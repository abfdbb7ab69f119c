package gateways

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/grantd/grantd/server/gateway"
	"github.com/grantd/grantd/tests/spawn"
)

// apache is that of Debian's packages apache2-bin and lua-socket.
var apache = Gateway{
	Name: "apache", File: "apache.conf", Family: gateway.Originals,
	Quirks: []Quirk{
		{"Apache refuses an escaped slash or NUL by itself", 404, []string{
			"path /public/..%2fcards/12", "path /public/..%2Fcards/12", "path /cards/..%2faccounts/1", "path /cards/1%2f2",
			"path /public/..%00/cards/12", "path /public/12%00",
		}},
		{"Apache refuses a fragment, and a path above the root, by itself", 400, []string{
			"path /cards/12#", "path /public/#/../../cards/12", "path /%2e%2e/cards/12", "path that climbs out",
		}},
		{"with a whole URI, Apache does not pass the path on as it is written", 403, []string{"whole URI"}},
	},
	Start: startApache(),
}

// startApache starts Apache with its files, apache.lua changed further by the pairs.
func startApache(pairs ...string) func(t testing.TB, s Settings) string {
	return func(t testing.TB, s Settings) string {
		t.Helper()
		return spawn.Listening(t, func(address string) *exec.Cmd {
			dir := folder(t, map[string]string{
				"apache.conf": read(t, "apache.conf"),
				"grantd.lua":  Fill(t, "apache.lua", append(pairs, `host, port = "127.0.0.1", 8090`, luaAddress(t, s.Grantd))...),
				"grantd.conf": Fill(t, "apache.conf", "<VirtualHost *:443>", "<VirtualHost "+address+">",
					"ProxyPass / http://127.0.0.1:9000/", "ProxyPass / http://"+s.API+"/",
					"AccessChecker /etc/apache2/grantd.lua", "AccessChecker RUN/grantd.lua",
					"/etc/apache2/api.example.com.crt", s.Certificate, "/etc/apache2/api.example.com.key", s.Key),
			})
			cmd := exec.Command("/usr/sbin/apache2", "-X", "-f", filepath.Join(dir, "apache.conf"))
			cmd.Env = append(os.Environ(), "LISTEN="+address)
			return cmd
		})
	}
}

// luaAddress returns the assignment of an address in apache.lua.
func luaAddress(t testing.TB, address string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("host, port = %q, %s", host, port)
}

// TestApacheWithoutLuaSocket: nothing passes if the script cannot run.
func TestApacheWithoutLuaSocket(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	t.Parallel()
	w := newWorld(t, gateway.Originals)
	without := apache
	without.Start = startApache(`require "socket"`, `require "absent"`)
	c := w.newCases(t, without, w.deciders()[0])
	c.check(t, row{"without the library", request{token: c.good}, 500, "", nil})
	c.check(t, row{"without the library, not guarded", request{path: "/public/1"}, 500, "", nil})
}
