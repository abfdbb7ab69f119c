package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/cli/importer"
	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/imports"
)

func (a *app) customerImportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Create or update many customers from a file",
		Long: `Reads one customer from each line of FILE, or of standard input if FILE is -.
A line is a JSON object with customer_id, org_id, type and phone, and optionally
authorized_users and language. Each customer is created, or replaced by what the
line says, as 'grantd customer put' does.

All lines are checked first. If any are wrong, every wrong line is reported with
its number and nothing is written. If an import is interrupted, run the same
command again: customers already written will be unchanged.`,
		Example: `  grantd customer import customers.jsonl

  # two lines of a file
  {"customer_id":"10001","org_id":"h5D8B5gyHtk=","type":"individual","phone":"+15555550136"}
  {"customer_id":"10002","org_id":"h5D8B5gyHtk=","type":"business","phone":"+15555550137","authorized_users":[{"name":"Juan Pérez","phone":"+15555550199"}],"language":"es"}

  zcat customers.jsonl.gz | grantd customer import -`,
		Args: operands("FILE"),
	}
	run := importer.Importer[customers.ImportLine]{Kind: importer.Customers()}
	dryRunFlag(c, &run.DryRun)
	c.RunE = func(c *cobra.Command, args []string) error {
		return runImport(c, a, args[0], run, (*api).importCustomers)
	}
	return c
}

// importCustomers returns the importer.Call for customers.
func (c *api) importCustomers() importer.Call[customers.ImportLine] {
	return func(ctx context.Context, part []customers.ImportLine, check bool, retrying importer.Notify) (imports.Response, error) {
		return c.importPart(ctx, pathCustomers, customers.Import{Customers: part, Check: check}, retrying)
	}
}
