package resourceservers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/parallel"
	"github.com/grantd/grantd/tests/spawn"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 4)) }

// apache is where Debian has it: not always in the PATH of a user.
const apache = "/usr/sbin/apache2"

// startApache starts an Apache with a module, configured by a file.
func startApache(module, file string) func(t testing.TB, s Settings) string {
	return func(t testing.TB, s Settings) string {
		t.Helper()
		root, err := filepath.Abs("testdata")
		if err != nil {
			t.Fatal(err)
		}
		conf := file
		if !filepath.IsAbs(conf) {
			conf = filepath.Join(root, conf)
		}
		return "http://" + spawn.Listening(t, func(address string) *exec.Cmd {
			cmd := exec.Command(apache, "-X", "-f", filepath.Join(root, "httpd.conf"))
			cmd.Env = append(append(os.Environ(), s.Environ()...),
				"LISTEN="+address, "RUN="+t.TempDir(), "MODULE="+module, "CONF="+conf)
			return cmd
		})
	}
}

// unknowing are the statuses of what does not tell apart that a token is inactive, and
// that it could not find out.
var unknowing = Statuses{Unavailable: 401, Away: 401, Secret: 401}

func TestModOAuth2(t *testing.T) {
	Run(t, Product{Name: "mod_oauth2", Statuses: unknowing, Start: startApache("oauth2", "mod_oauth2.conf")})
}

func TestModAuthOpenIDC(t *testing.T) {
	Run(t, Product{Name: "mod_auth_openidc", TLS: true, Statuses: unknowing, Start: startApache("auth_openidc", "mod_auth_openidc.conf")})
}

// Without a setting of the examples, the modules keep what grantd said. If one of them
// no longer does, INTEGRATING.md is out of date.
func TestApacheCaches(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	t.Parallel()
	for _, m := range []struct {
		module, file, setting string
		overTLS               bool
	}{
		{"oauth2", "mod_oauth2.conf", "&expiry=0", false},
		{"auth_openidc", "mod_auth_openidc.conf", "OIDCOAuthTokenIntrospectionInterval -1", true},
	} {
		t.Run(m.module, func(t *testing.T) {
			t.Parallel()
			example, err := os.ReadFile(filepath.Join("testdata", m.file))
			if err != nil {
				t.Fatal(err)
			}
			without := strings.Replace(string(example), m.setting, "", 1)
			if without == string(example) {
				t.Fatalf("%s does not have %s", m.file, m.setting)
			}
			c := newCases(t, Product{Name: m.module, TLS: m.overTLS, Start: startApache(m.module, spawn.WriteFile(t, 0o644, without))}, server)
			if asked := c.askedFor(t, c.Token(t, c.shop, ""), 3); asked != 1 {
				t.Errorf("it asked %d times for 3 requests", asked)
			}
		})
	}
}
