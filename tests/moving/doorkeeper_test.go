package moving

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

// shop is an application with Doorkeeper, and what it says of its clients.
type shop struct {
	lines []string          // as exported
	ids   map[string]string // by name
	plain map[string]string // the secrets, by name
}

// runShop fills a new application that keeps secrets in the given way, and exports it
// as MOVING.md says.
func runShop(t *testing.T, secrets string) shop {
	t.Helper()
	run, dir := newShop(t, secrets)
	s := shop{ids: map[string]string{}, plain: map[string]string{}}
	for line := range strings.Lines(run("bin/rails runner fill.rb")) {
		f := strings.Fields(line)
		s.ids[f[0]], s.plain[f[0]] = f[1], f[2]
	}
	run(guideCommand(t, "bin/rails"))
	s.lines = readLines(t, filepath.Join(dir, "doorkeeper.jsonl"))
	return s
}

// newShop makes a new application that keeps secrets in the given way, and returns what
// runs a command in its folder and returns its output.
func newShop(t *testing.T, secrets string) (run func(command string) string, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "shop"))); err != nil {
		t.Fatal(err)
	}
	return func(command string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "bash", "-ec", command)
		c.Dir, c.Env = dir, append(os.Environ(), "SECRETS="+secrets, "RAILS_ENV=development")
		var errs strings.Builder
		c.Stderr = &errs
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%s: %v: %.1000s\nDoorkeeper is in Debian's ruby-doorkeeper: make tools installs it", command, err, errs.String())
		}
		return string(out)
	}, dir
}

// Applications of a Doorkeeper move with their secrets, however it keeps them.
func TestDoorkeeper(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs Rails")
	}
	for _, secrets := range []string{"plain", "sha256", "bcrypt"} {
		t.Run(secrets, func(t *testing.T) {
			s := runShop(t, secrets)
			if len(s.lines) != 4 {
				t.Fatalf("exported %q", s.lines)
			}
			harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
				to := newTarget(start)
				to.refused(t, "doorkeeper", s.lines,
					"3: is a public client (confidential): grantd has only clients with a secret",
					"4: is missing (scopes): Doorkeeper gives such an application every scope, and grantd none. Write into the line which ones it may have")
				to.importAll(t, "doorkeeper", s.lines[:2], "dry run, nothing was written: 2 clients: 2 created, 0 updated, 0 unchanged", "--dry-run")
				to.importAll(t, "doorkeeper", s.lines[:2], "2 clients: 2 created, 0 updated, 0 unchanged")
				to.importAll(t, "doorkeeper", s.lines[:2], "2 clients: 0 created, 0 updated, 2 unchanged")
				to.gets(t, s.ids["Billing"], s.plain["Billing"], "users:read", 7200)
				to.gets(t, s.ids["Reports"], s.plain["Reports"], "users:write", 7200)
				to.hidden(t, s.plain["Billing"], s.plain["Reports"], member(t, s.lines[0], "secret"), member(t, s.lines[1], "secret"))
			})
		})
	}
}
