package resourceservers

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/grantd/grantd/tests/parallel"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 4)) }

// apache is where Debian has it: not always in the PATH of a user.
const apache = "/usr/sbin/apache2"

// startApache starts an Apache with a module, configured by the file of its name.
func startApache(module, file string) func(t testing.TB, s Settings) string {
	return func(t testing.TB, s Settings) string {
		t.Helper()
		root, err := filepath.Abs("testdata")
		if err != nil {
			t.Fatal(err)
		}
		return Listening(t, func(address string) *exec.Cmd {
			cmd := exec.Command(apache, "-X", "-f", filepath.Join(root, "httpd.conf"))
			cmd.Env = append(append(os.Environ(), s.Environ()...),
				"LISTEN="+address, "RUN="+t.TempDir(), "MODULE="+module, "CONF="+filepath.Join(root, file))
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
