package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/cli/importer"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/imports"
)

func (a *app) clientImportCommand() *cobra.Command {
	var run importer.Importer[clients.ImportLine]
	var from string
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Create many clients that keep the secrets they have elsewhere",
		Long: `Reads one client from each line of FILE, or of standard input if FILE is -, and
creates it with the hash of the secret that it has in another system. A line is a
JSON object, as --from says:

  jsonl       the members of the admin API, with secret_hash or secret_hashes
  doorkeeper  an application of Doorkeeper
  hydra       a row of the table hydra_client of Ory Hydra

deploy/MOVING.md says how to export the last two. Clients without a secret, without
the grant client_credentials, or with scopes that this server does not know are
reported and not imported.

All lines are checked first. If any are wrong, every wrong line is reported with
its number and nothing is written. If an import is interrupted, run the same
command again: clients already written will be unchanged. An import never changes
a client that exists.`,
		Example: `  grantd client import clients.jsonl --from jsonl --dry-run
  grantd client import hydra.jsonl --from hydra

  # a line of a file for --from jsonl
  {"client_id":"billing","scope":"users:read","secret_hash":"$2b$12$…"}`,
		Args: operands("FILE"),
	}
	c.Flags().StringVar(&from, "from", "", "`FORMAT` of the file: "+strings.Join(importer.ClientFormats, ", "))
	dryRunFlag(c, &run.DryRun)
	c.RunE = func(c *cobra.Command, args []string) error {
		kind, ok := importer.Clients(from)
		if !ok {
			return misuse(c, "--from must be %s", strings.Join(importer.ClientFormats, " or "))
		}
		run.Kind = kind
		return runImport(c, a, args[0], run, (*api).importClients)
	}
	return c
}

// importClients returns the importer.Call for clients.
func (c *api) importClients() importer.Call[clients.ImportLine] {
	return func(ctx context.Context, part []clients.ImportLine, check bool, retrying importer.Notify) (imports.Response, error) {
		return c.importPart(ctx, pathClients, clients.Import{Clients: part, Check: check}, retrying)
	}
}
