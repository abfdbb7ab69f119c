package service_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

const (
	nodeFolder     = "node"
	installTimeout = 3 * time.Minute // the registry may be slow
	nodeTimeout    = time.Minute
)

// TestNodeClients runs tests/service/node: openid-client, oauth4webapi and
// simple-oauth2, at the versions of its package-lock.json. They work with the
// metadata for MCP clients too.
func TestNodeClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it installs from the npm registry")
	}
	installNode(t)
	each(t, runNodeClients)
	t.Run("metadata.mcp", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t, edits(func(c *config.Config) { c.Metadata.MCP = true }))
		c, rs := newPair(t, s)
		runNodeClients(t, s, c, rs)
	})
}

func runNodeClients(t *testing.T, s *harness.Server, c, rs clients.Created) {
	t.Helper()
	out := runNode(t, nodeTimeout, []string{
		"ISSUER=" + s.URL, "RESOURCE=" + resource,
		"CLIENT_ID=" + c.ClientID, "CLIENT_SECRET=" + c.ClientSecret,
		"RS_ID=" + rs.ClientID, "RS_SECRET=" + rs.ClientSecret,
	}, "node", "--test", "--test-reporter=tap")
	if !strings.Contains(out, "\n# skipped 0\n") || strings.Contains(out, "\n# tests 0\n") {
		t.Errorf("not every test ran:\n%s", out)
	}
}

var installed bool // by one of the tests, which do not run in parallel

// installNode installs what package-lock.json names, once.
func installNode(t *testing.T) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: install Node 20 or later to run the tests of Node's OAuth clients: %v", program, err)
		}
	}
	if !installed {
		runNode(t, installTimeout, nil, "npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
		installed = true
	}
}

func runNode(t *testing.T, timeout time.Duration, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = nodeFolder
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
