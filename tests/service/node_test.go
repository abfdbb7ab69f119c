package service_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
)

const (
	nodeFolder     = "node"
	installTimeout = 3 * time.Minute // the registry may be slow
	nodeTimeout    = time.Minute
)

// TestNodeClients runs tests/service/node: openid-client, oauth4webapi and
// simple-oauth2, at the versions of its package-lock.json.
func TestNodeClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it installs from the npm registry")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: install Node 20 or later to run the tests of Node's OAuth clients: %v", program, err)
		}
	}
	runNode(t, installTimeout, nil, "npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	each(t, func(t *testing.T, s *harness.Server, c, rs clients.Created) {
		out := runNode(t, nodeTimeout, []string{
			"ISSUER=" + s.URL, "RESOURCE=" + resource,
			"CLIENT_ID=" + c.ClientID, "CLIENT_SECRET=" + c.ClientSecret,
			"RS_ID=" + rs.ClientID, "RS_SECRET=" + rs.ClientSecret,
		}, "node", "--test", "--test-reporter=tap")
		if !strings.Contains(out, "\n# skipped 0\n") || strings.Contains(out, "\n# tests 0\n") {
			t.Errorf("not every test ran:\n%s", out)
		}
	})
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
