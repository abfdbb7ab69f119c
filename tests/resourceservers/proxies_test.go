package resourceservers

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// built returns the program of a module. It is in the build cache: `make test` has
// built it in the same configuration.
func built(t testing.TB, module string) string {
	t.Helper()
	once, _ := builds.LoadOrStore(module, sync.OnceValues(func() (string, error) {
		bin, err := filepath.Abs(filepath.Join("..", "..", "bin"))
		if err != nil {
			return "", err
		}
		cmd := exec.Command("go", "build", "-trimpath", "-tags", "nomsgpack", "-o", bin+"/", "tool")
		cmd.Dir, cmd.Env = module, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		return filepath.Join(bin, module), nil
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("building %s: %v", module, err)
	}
	return path
}

var builds sync.Map

// fill returns a file of testdata with the settings and further variables in it.
func fill(t testing.TB, file string, s Settings, vars map[string]string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Environ() {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	return WriteFile(t, 0o600, os.Expand(string(text), func(name string) string { return vars[name] }))
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startHeimdall starts heimdall in proxy mode. The flags allow plain HTTP.
func startHeimdall(t testing.TB, s Settings) string {
	t.Helper()
	bin := built(t, "heimdall")
	return Listening(t, func(address string) *exec.Cmd {
		vars := map[string]string{"API_HOST": strings.TrimPrefix(s.API, "http://")}
		vars["RULES"] = fill(t, "heimdall-rules.yaml", s, vars)
		vars["PORT"], vars["MANAGEMENT_PORT"] = port(t, address), port(t, FreeAddress(t))
		return exec.Command(bin, "serve", "proxy", "--insecure-skip-all-tls-enforcement", "--config", fill(t, "heimdall.yaml", s, vars))
	})
}

func startOathkeeper(t testing.TB, s Settings) string {
	t.Helper()
	bin := built(t, "oathkeeper")
	return Listening(t, func(address string) *exec.Cmd {
		vars := map[string]string{
			"PORT": port(t, address), "API_PORT": port(t, FreeAddress(t)), "METRICS_PORT": port(t, FreeAddress(t)),
			"BASIC": base64.StdEncoding.EncodeToString([]byte(s.ID + ":" + s.Secret)),
		}
		vars["RULES"] = fill(t, "oathkeeper-rules.yaml", s, vars) + ".yaml"
		if err := os.Rename(strings.TrimSuffix(vars["RULES"], ".yaml"), vars["RULES"]); err != nil {
			t.Fatal(err)
		}
		return exec.Command(bin, "serve", "--config", fill(t, "oathkeeper.yaml", s, vars))
	})
}

func TestHeimdall(t *testing.T) {
	Run(t, Product{Name: "heimdall", NoChallenge: true, Start: startHeimdall})
}

func TestOathkeeper(t *testing.T) {
	Run(t, Product{Name: "oathkeeper", NoChallenge: true, Start: startOathkeeper})
}
