package resourceservers

import (
	"os"
	"os/exec"
	"testing"

	"github.com/grantd/grantd/tests/spawn"
)

// python is Debian's: its libraries are in packages of Debian.
const python = "/usr/bin/python3"

// startPython serves the application of a file in testdata.
func startPython(file string) func(t testing.TB, s Settings) string {
	return func(t testing.TB, s Settings) string {
		t.Helper()
		cmd := exec.Command(python, "testdata/serve.py", file)
		cmd.Env = append(append(os.Environ(), s.Environ()...), "PYTHONDONTWRITEBYTECODE=1")
		return spawn.Announced(t, "ready ", cmd)
	}
}

func TestAuthlib(t *testing.T) {
	Run(t, Product{Name: "authlib", Start: startPython("flask_authlib")})
}

func TestDjangoOAuthToolkit(t *testing.T) {
	Run(t, Product{Name: "django-oauth-toolkit", Start: startPython("django_toolkit")})
}
