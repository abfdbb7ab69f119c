package resourceservers

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
	"github.com/grantd/grantd/tests/spawn"
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

// change replaces one setting of an example.
type change struct{ file, from, to string }

// example returns a configuration file of testdata, with its changes.
func example(t testing.TB, name string, changes []change) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	for _, c := range changes {
		if c.file != name {
			continue
		}
		if n := strings.Count(text, c.from); n != 1 {
			t.Fatalf("%s has %q %d times", name, c.from, n)
		}
		text = strings.Replace(text, c.from, c.to, 1)
	}
	return text
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

// oathkeeper is Ory Oathkeeper with the example, or with a change of it.
func oathkeeper(t testing.TB, changes ...change) Product {
	t.Helper()
	config := example(t, "oathkeeper.yaml", changes)
	start := func(t testing.TB, s Settings) string {
		t.Helper()
		rules := filled(t, example(t, "oathkeeper_rules.yaml", changes), map[string]string{"API_URL": s.API})
		return awaitRules(t, spawn.Listening(t, func(address string) *exec.Cmd {
			file := filled(t, config, map[string]string{
				"PORT": port(t, address), "RULES_FILE": rules, "INTROSPECT_URL": s.Introspect,
				"BASIC": base64.StdEncoding.EncodeToString([]byte(s.ID + ":" + s.Secret)),
			})
			cmd := exec.Command(built(t, "oathkeeper"), "serve", "--disable-telemetry", "-c", file)
			cmd.Env = append(os.Environ(), "SERVE_API_PORT=0", "SERVE_PROMETHEUS_PORT=0")
			return cmd
		}))
	}
	return Product{
		Name: "oathkeeper", Start: start, Edge: []string{"--omit-token-use"}, NoChallenge: true,
		Statuses: Statuses{Unavailable: 500, Away: 500, Secret: 500},
	}
}

// heimdall is heimdall with the example, or with a change of it.
func heimdall(t testing.TB, changes ...change) Product {
	t.Helper()
	text := example(t, "heimdall.yaml", changes)
	start := func(t testing.TB, s Settings) string {
		t.Helper()
		config, rules := writeYAML(t, text), writeYAML(t, example(t, "heimdall_rules.yaml", changes))
		return awaitRules(t, spawn.Listening(t, func(address string) *exec.Cmd {
			cmd := exec.Command(built(t, "heimdall"), "serve", "proxy", "-c", config, "--insecure-skip-all-tls-enforcement")
			cmd.Env = append(append(os.Environ(), s.Environ()...), "RULES_FILE="+rules,
				"PORT="+port(t, address), "API_HOST="+strings.TrimPrefix(s.API, "http://"), "HEIMDALLCFG_MANAGEMENT_PORT="+port(t, spawn.FreeAddress(t)))
			return cmd
		}))
	}
	return Product{Name: "heimdall", Start: start, NoChallenge: true}
}

// awaitRules returns the URL of the proxy at an address once it has its rules: it listens
// before it has read them, and responds with 404.
func awaitRules(t testing.TB, address string) (url string) {
	t.Helper()
	url = "http://" + address
	poll.Await(t, spawn.StartTimeout, "the proxy has its rules", func() string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/cards", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := harness.Do(t, nil, req); r.Status == http.StatusNotFound {
			return r.String()
		}
		return ""
	})
	return url
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestOathkeeper(t *testing.T) { Run(t, oathkeeper(t)) }

func TestHeimdall(t *testing.T) { Run(t, heimdall(t)) }

// What the examples say about their settings. If a product no longer does it, they and
// INTEGRATING.md are out of date.
func TestProxySettings(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs programs of others")
	}
	t.Parallel()
	const oath, heim, heimRules = "oathkeeper.yaml", "heimdall.yaml", "heimdall_rules.yaml"
	for _, row := range []struct {
		rule   string
		p      Product
		target string
		check  func(c *cases, t *testing.T)
	}{
		{"oathkeeper refuses token_use", oathkeeper(t), server, func(c *cases, t *testing.T) {
			c.check(t, c.get(t, c.Token(t, c.shop, "")), 403)
			c.check(t, c.get(t, "rubbish"), 401)
		}},
		{"oathkeeper without a strategy ignores scopes", oathkeeper(t, change{oath, "scope_strategy: exact", ""}), edge, func(c *cases, t *testing.T) {
			c.check(t, c.get(t, c.Token(t, c.shop, "accounts")), 200)
		}},
		{"oathkeeper with a cache", oathkeeper(t, change{oath, "cache: {enabled: false}", "cache: {enabled: true}"}), edge, (*cases).keeps},
		{"heimdall without cache_ttl", heimdall(t, change{heim, "cache_ttl: 0s", ""}), server, (*cases).keeps},
		{"heimdall without cache_ttl ignores the scopes of another rule", heimdall(t,
			change{heim, "cache_ttl: 0s", ""},
			change{heimRules, "- authenticator: grantd\n", "- authenticator: grantd\n        config: {assertions: {scopes: [cards]}}\n"},
			change{heimRules, "- authorizer: scope\n        config:\n          values: {scope: cards}\n      ", ""},
			change{heimRules, "rules:\n", "rules:\n  - {id: any, match: {routes: [{path: /any}]}, execute: [{authenticator: grantd}, {finalizer: subject}], forward_to: {host: \"${API_HOST}\"}}\n"},
		), server, func(c *cases, t *testing.T) {
			token := c.Token(t, c.shop, "accounts")
			c.check(t, c.get(t, token), 401)
			c.check(t, c.send(t, "/any", token), 200)
			c.passesUnasked(t, token)
		}},
		{"heimdall without issuers", heimdall(t, change{heim, `assertions: {issuers: ["${ISSUER}"]}`, ""}), server, func(c *cases, t *testing.T) {
			c.check(t, c.get(t, c.Token(t, c.shop, "")), 401)
		}},
		{"heimdall without token_source", heimdall(t, change{heim, "token_source: [{header: Authorization, scheme: Bearer}]", ""}), server, func(c *cases, t *testing.T) {
			c.check(t, c.send(t, "/cards?access_token="+url.QueryEscape(c.Token(t, c.shop, "")), ""), 200)
		}},
	} {
		t.Run(row.rule, func(t *testing.T) {
			t.Parallel()
			row.check(newCases(t, row.p, row.target), t)
		})
	}
}

// keeps: a revoked token passes, since the product keeps what grantd said before.
func (c *cases) keeps(t *testing.T) {
	token := c.Token(t, c.shop, "")
	c.check(t, c.get(t, token), 200)
	// Oathkeeper's cache stores a response some time after it came.
	c.passesUnasked(t, token)
	c.revoke(t, token)
	c.passesUnasked(t, token)
}

// passesUnasked waits until a token passes without a question to grantd. With heimdall,
// that depends on chance: what it keeps has one of several keys, in the order of a map.
func (c *cases) passesUnasked(t *testing.T, token string) {
	t.Helper()
	poll.Await(t, poll.Patience, "the token passes without a question", func() string {
		before := c.gate.asked.Load()
		if why := differs(c.get(t, token), 200); why != "" || c.gate.asked.Load() == before {
			return why
		}
		return "it asks"
	})
}
