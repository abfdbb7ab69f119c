// Package deploy contains files for operators: examples, files for systemd,
// containers and Redis, and a guide. Its tests check that they match the code, and
// run what can run here.
package deploy

//go:generate go test -tags nomsgpack -run TestExamples . -update

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/scopes"
)

var update = flag.Bool("update", false, "write the examples")

const (
	configFile = "grantd.example.yaml"
	scopesFile = "scopes.example.yaml"
)

func TestExamples(t *testing.T) {
	for name, want := range map[string]string{configFile: config.Example(), scopesFile: scopesExample()} {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, read(t, name)); diff != "" {
			t.Errorf("%s differs from the code; run go generate ./deploy (-code +file):\n%s", name, diff)
		}
	}
}

// TestExamplesAreRead: the examples load as the defaults.
func TestExamplesAreRead(t *testing.T) {
	cfg, _, err := config.Load(config.LoadOptions{File: configFile})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Defaults(), cfg); diff != "" {
		t.Errorf("%s (-defaults +read):\n%s", configFile, diff)
	}
	c, err := scopes.Load(scopesFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scopes.Default().List(), c.List()); diff != "" {
		t.Errorf("%s (-built-in +read):\n%s", scopesFile, diff)
	}
}

const scopesHead = `# The built-in scope catalogue of grantd. To change it, edit a copy of this file
# and name the copy in scopes.file of the configuration.
#
#   name         what clients ask for (RFC 6749 section 3.3), at most 128 characters
#   description  for people
#   read_only    may be granted to a partner; the default follows from the name
#   sensitive    a customer token needs a verification code for it; the default follows from the name
#   ttl          no token with this scope lives longer, 1m to 24h; the default is no cap
#
# introspect, admin:read and admin:write are in every catalogue.

`

func scopesExample() string {
	var b strings.Builder
	b.WriteString(scopesHead)
	for _, s := range scopes.Default().List() {
		fmt.Fprintf(&b, "- name: %s\n  description: %s\n  read_only: %t\n  sensitive: %t\n", s.Name, s.Description, s.ReadOnly, s.Sensitive)
		if s.TTL > 0 {
			fmt.Fprintf(&b, "  ttl: %s\n", s.TTL)
		}
	}
	return b.String()
}

// TestOperatingTellsOfEverything: the guide describes every field of the access
// event, every audit action and every reason that a note can contain.
func TestOperatingTellsOfEverything(t *testing.T) {
	guide := read(t, "OPERATING.md")
	names := logged(t)
	for _, known := range []string{"request_id", "client.create", "org.void_tokens", "customer.reset_codes", "customer.send_code", "grant.update", "partner.create_token", "token.issue"} {
		if names[known] == "" {
			t.Errorf("%s was not found in the source: this test does not work", known)
		}
	}
	for name, file := range names {
		if !strings.Contains(guide, "`"+name+"`") {
			t.Errorf("OPERATING.md does not describe `%s` (server/%s)", name, file)
		}
	}
}

// TestGuidesNameKeys: every configuration key that a guide names exists. Links
// are checked in tests/deps.
func TestGuidesNameKeys(t *testing.T) {
	keys, actions := flatten(t, config.Defaults()), logged(t)
	span := regexp.MustCompile("`([a-z_]+(?:\\.[a-z_]+)+)`")
	for _, name := range []string{"OPERATING.md", "../README.md", "../server/oauth/INTEGRATING.md", "../server/oauth/MCP.md", "../server/metrics/METRICS.md", "../server/senders/WEBHOOK.md", "../server/customers/APP_GUIDE.md", "../server/partners/PARTNER_GUIDE.md", "../server/apikeys/KEY_GUIDE.md", "../server/admin/ADMIN_API.md", "../SECURITY.md", "../CONTRIBUTING.md", "../CHANGELOG.md"} {
		text := read(t, name)
		for _, m := range span.FindAllStringSubmatch(text, -1) {
			section, _, _ := strings.Cut(m[1], ".")
			if keys[m[1]] || actions[m[1]] != "" {
				continue
			}
			if keys[section+"."] {
				t.Errorf("%s names the key %s, which does not exist", name, m[1])
			}
		}
	}
}

// TestOperatingIsProved: each line of the table of Redis failures names tests
// that exist.
func TestOperatingIsProved(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "OPERATING.md"), "### What happens when Redis")
	text, _, _ = strings.Cut(text, "\n## ")
	lines := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| when") {
			continue
		}
		lines++
		proofs := regexp.MustCompile(`\[([^\]]+)\]`).FindAllStringSubmatch(line, -1)
		if len(proofs) == 0 {
			t.Errorf("no test is named in %s", line)
		}
		for _, p := range proofs {
			folder := ""
			for name := range strings.SplitSeq(p[1], ", ") {
				if f, rest, ok := strings.Cut(name, " Test"); ok {
					folder, name = f, "Test"+rest
				}
				if !isTest(t, folder, name) {
					t.Errorf("OPERATING.md, table of Redis failures, names a test that does not exist: %s has no %s", folder, name)
				}
			}
		}
	}
	if lines < 10 {
		t.Errorf("%d lines", lines)
	}
}

// isTest reports whether a folder has the test. The name of a subtest must be one
// of its strings.
func isTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, f := range files {
		source.WriteString(read(t, f))
	}
	test, sub, isSub := strings.Cut(name, "/")
	return strings.Contains(source.String(), "\nfunc "+test+"(t *testing.T) {") &&
		(!isSub || strings.Contains(source.String(), strconv.Quote(sub)))
}

// flatten returns the key paths, and the sections followed by a dot.
func flatten(t *testing.T, c config.Config) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	var path []string
	for line := range strings.Lines(c.YAML()) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		path = append(path[:depth], name)
		keys[strings.Join(path, ".")] = true
		keys[path[0]+"."] = true
	}
	return keys
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
