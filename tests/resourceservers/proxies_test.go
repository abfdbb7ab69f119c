package resourceservers

import (
	"encoding/base64"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built returns the path of a program that the Makefile builds from a module beside
// these tests.
func built(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: make bin/%s builds it", err, name)
	}
	return path
}

// example returns a configuration file of testdata.
func example(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeYAML writes a file that has the secret of a resource server.
func writeYAML(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "config.yaml") // both programs look at the extension
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// filled writes an example with its names in braces replaced by values.
func filled(t testing.TB, text string, values map[string]string) (path string) {
	t.Helper()
	return writeYAML(t, os.Expand(text, func(name string) string {
		value, ok := values[name]
		if !ok {
			t.Fatalf("the example has ${%s}", name)
		}
		return value
	}))
}

// changed returns the text with one setting replaced.
func changed(t testing.TB, text, setting, by string) string {
	t.Helper()
	if strings.Count(text, setting) != 1 {
		t.Fatalf("the example has %q %d times", setting, strings.Count(text, setting))
	}
	return strings.Replace(text, setting, by, 1)
}

// oathkeeper is Ory Oathkeeper with a configuration.
func oathkeeper(config string) Product {
	start := func(t testing.TB, s Settings) string {
		t.Helper()
		rules := filled(t, example(t, "oathkeeper_rules.yaml"), map[string]string{"API_URL": s.API})
		return Listening(t, func(address string) *exec.Cmd {
			file := filled(t, config, map[string]string{
				"PORT": port(t, address), "RULES_FILE": rules, "INTROSPECT_URL": s.Introspect,
				"BASIC": base64.StdEncoding.EncodeToString([]byte(s.ID + ":" + s.Secret)),
			})
			cmd := exec.Command(built(t, "oathkeeper"), "serve", "--disable-telemetry", "-c", file)
			cmd.Env = append(os.Environ(), "SERVE_API_PORT=0", "SERVE_PROMETHEUS_PORT=0")
			return cmd
		})
	}
	return Product{
		Name: "oathkeeper", Start: start, Edge: []string{"--omit-token-use"}, NoChallenge: true,
		Statuses: Statuses{Unavailable: 500, Away: 500, Secret: 500},
	}
}

// heimdall is heimdall with a configuration.
func heimdall(config string) Product {
	start := func(t testing.TB, s Settings) string {
		t.Helper()
		config, rules := writeYAML(t, config), writeYAML(t, example(t, "heimdall_rules.yaml"))
		return Listening(t, func(address string) *exec.Cmd {
			cmd := exec.Command(built(t, "heimdall"), "serve", "proxy", "-c", config, "--insecure-skip-all-tls-enforcement")
			cmd.Env = append(append(os.Environ(), s.Environ()...), "RULES_FILE="+rules,
				"PORT="+port(t, address), "API_HOST="+strings.TrimPrefix(s.API, "http://"), "HEIMDALLCFG_MANAGEMENT_PORT="+port(t, FreeAddress(t)))
			return cmd
		})
	}
	return Product{Name: "heimdall", Start: start, NoChallenge: true}
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestOathkeeper(t *testing.T) { Run(t, oathkeeper(example(t, "oathkeeper.yaml"))) }

func TestHeimdall(t *testing.T) { Run(t, heimdall(example(t, "heimdall.yaml"))) }

// Oathkeeper refuses what has a token_use that it does not know. If it no longer does,
// INTEGRATING.md and EDGE.md are out of date.
func TestOathkeeperRefusesTokenUse(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	t.Parallel()
	c := newCases(t, oathkeeper(example(t, "oathkeeper.yaml")), server)
	c.check(t, c.get(t, c.Token(t, c.shop, "")), http.StatusForbidden)
	c.check(t, c.get(t, "rubbish"), http.StatusUnauthorized)
}
