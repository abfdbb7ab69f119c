// Package moving tests how clients move to grantd from a real Doorkeeper, and from
// what a real Hydra exported, with the commands of deploy/MOVING.md.
package moving

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/cli"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/parallel"
)

func TestMain(m *testing.M) { os.Exit(parallel.Main(m, 4)) }

// target is a grantd that clients move to.
type target struct {
	*harness.Server
	socket string
}

func newTarget(start func(...harness.Options) *harness.Server) target {
	var to target
	to.Server = start(harness.Options{Edit: func(c *config.Config) { to.socket = c.Admin.Socket }})
	return to
}

// result is what a command did.
type result struct {
	code     int
	out, err string
}

// run runs a command of grantd with the lines as its input.
func (to target) run(t *testing.T, lines []string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), append(args, "--socket", to.socket), cli.Streams{
		In: strings.NewReader(strings.Join(lines, "\n") + "\n"), Out: &out, Err: &errs,
	})
	return result{code, out.String(), errs.String()}
}

// importAll imports the lines, which must succeed with the summary.
func (to target) importAll(t *testing.T, format string, lines []string, summary string, more ...string) {
	t.Helper()
	got := to.run(t, lines, append([]string{"client", "import", "-", "--from", format}, more...)...)
	if got.code != 0 || got.out != summary+"\n" {
		t.Fatalf("%+v, want %s", got, summary)
	}
}

// refused checks that the lines are not imported, and that says is printed: a line
// number and what is wrong with that line.
func (to target) refused(t *testing.T, format string, lines []string, says ...string) {
	t.Helper()
	got := to.run(t, lines, "client", "import", "-", "--from", format, "--dry-run")
	if got.code != 1 || got.out != "" {
		t.Errorf("%+v", got)
	}
	for _, what := range says {
		if !strings.Contains(got.err, "grantd: standard input:"+what+"\n") {
			t.Errorf("no %q in\n%s", what, got.err)
		}
	}
}

// gets checks that the client gets a token with its old secret, and with what.
func (to target) gets(t *testing.T, id, secret, scope string, seconds float64) {
	t.Helper()
	r := to.Form(t, "/oauth/token", id, secret, url.Values{"grant_type": {"client_credentials"}})
	if r.Status != 200 || r.JSON(t)["scope"] != scope || r.JSON(t)["expires_in"] != seconds {
		t.Errorf("%s: %d %s, want the scope %q for %v s", id, r.Status, r.Body, scope, seconds)
	}
	if r := to.Form(t, "/oauth/token", id, secret+"x", url.Values{"grant_type": {"client_credentials"}}); r.Status != 401 {
		t.Errorf("%s with another secret: %d %s", id, r.Status, r.Body)
	}
}

// hidden fails if the log, the audit or the output hold a secret or a hash.
func (to target) hidden(t *testing.T, values ...string) {
	t.Helper()
	audit := to.run(t, nil, "audit", "--output", "json").out
	for _, value := range values {
		if strings.Contains(to.Logs.String(), value) || strings.Contains(audit, value) {
			t.Errorf("the log or the audit holds %q", value)
		}
	}
}

func readLines(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// member returns a member of a line.
func member(t *testing.T, line, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		t.Fatal(err)
	}
	s, _ := all[name].(string)
	return s
}

// guideCommand returns the command of MOVING.md that begins with the word.
func guideCommand(t *testing.T, word string) string {
	t.Helper()
	guide, err := os.ReadFile(filepath.Join("..", "..", "deploy", "MOVING.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```sh\n(" + regexp.QuoteMeta(word) + ".*?)```").FindStringSubmatch(string(guide))
	if found == nil {
		t.Fatalf("MOVING.md has no block that begins with %s", word)
	}
	return found[1]
}

// posts checks that the client gets a token only with its secret in the body.
func (to target) posts(t *testing.T, id, secret string) {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	if r := to.Form(t, "/oauth/token", id, secret, form); r.Status != 401 {
		t.Errorf("%s by Basic: %d %s", id, r.Status, r.Body)
	}
	form.Set("client_id", id)
	form.Set("client_secret", secret)
	if r := to.Form(t, "/oauth/token", "", "", form); r.Status != 200 {
		t.Errorf("%s: %d %s", id, r.Status, r.Body)
	}
}

// membersOf returns the names of a line's members.
func membersOf(t *testing.T, line string) []string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(all))
}
