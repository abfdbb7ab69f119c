package moving

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/harness"
)

// hydraSample was exported from Hydra 2.3.0 on SQLite with the command of MOVING.md.
// Its clients were made with `hydra create client`, Keys with POST /admin/clients,
// and Batch while oauth2.hashers.algorithm was bcrypt.
var hydraSample = filepath.Join("testdata", "hydra-2.3.0.jsonl")

// Clients of a Hydra move with their secrets.
func TestHydra(t *testing.T) {
	lines := readLines(t, hydraSample)
	byName := map[string]string{}
	for _, line := range lines {
		byName[member(t, line, "client_name")] = line
	}
	harness.EachStore(t, func(t *testing.T, start func(...harness.Options) *harness.Server) {
		to := newTarget(start)
		to.refused(t, "hydra", lines,
			"3: is a public client (token_endpoint_auth_method): grantd has only clients with a secret",
			"5: is not allowed client_credentials (grant_types): grantd has no other grant for it",
			"6: authenticates by a method that this import does not support (token_endpoint_auth_method): it must be client_secret_basic or client_secret_post")
		good := []string{byName["Billing"], byName["Reports"], byName["Shop"], byName["Batch"]}
		to.importAll(t, "hydra", good, "4 clients: 4 created, 0 updated, 0 unchanged")
		to.importAll(t, "hydra", good, "4 clients: 0 created, 0 updated, 4 unchanged")
		to.gets(t, member(t, byName["Billing"], "id"), "billing-secret-0123456789", "users:read users:write", 3600)
		to.gets(t, member(t, byName["Shop"], "id"), "shop-secret-0123456789", "users:read", 3600)
		to.gets(t, member(t, byName["Batch"], "id"), "batch-secret-0123456789", "users:read", 3600)
		// Reports authenticates by client_secret_post only, as in Hydra.
		const generated = "vZFllwg32tSFXTLR~P8Wev-IZI"
		to.posts(t, member(t, byName["Reports"], "id"), generated)
		to.hidden(t, "billing-secret-0123456789", generated, "PSgFohNOD8")
	})
}

// Every column that the command of MOVING.md exports is in the sample, and no other.
func TestHydraCommands(t *testing.T) {
	line := readLines(t, hydraSample)[0]
	for _, word := range []string{"sqlite3", "psql"} {
		command := guideCommand(t, word)
		for _, name := range membersOf(t, line) {
			if !strings.Contains(command, name) {
				t.Errorf("the command with %s does not export %s", word, name)
			}
		}
	}
}
