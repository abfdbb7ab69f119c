package cli

import (
	"context"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/cli/importer"
	"github.com/grantd/grantd/server/customers"
)

func (a *app) customerImportCommand() *cobra.Command {
	return &cobra.Command{
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
		RunE: func(c *cobra.Command, args []string) error {
			server, err := a.connect(c)
			if err != nil {
				return err
			}
			source, err := a.openSource(c.Context(), args[0])
			if err != nil {
				return err
			}
			var terminal io.Writer
			if isTerminal(a.err) {
				terminal = a.err
			}
			return a.importCustomers(c.Context(), server, source, terminal)
		},
	}
}

// importCustomers draws its progress on the terminal, if that is not nil.
func (a *app) importCustomers(ctx context.Context, server *api, source importer.Source, terminal io.Writer) error {
	run := importer.Importer{Source: source, Call: server.importPart, Notify: a.say, Terminal: terminal}
	tally, err := run.Run(ctx)
	if tally == nil {
		return err
	}
	if a.output != outputJSON {
		a.println("%s", tally.Summary())
	} else if printErr := a.printJSON(tally); printErr != nil {
		return printErr
	}
	return err
}

// importPart is an importer.Call.
func (c *api) importPart(ctx context.Context, part customers.Import, retrying importer.Notify) (customers.Imported, error) {
	request := call{method: http.MethodPost, path: path(pathCustomers, "import"), body: part, idempotent: true}
	var response []byte
	var err error
	if retrying == nil {
		response, err = c.do(ctx, request)
	} else {
		response, err = c.doWithRetry(ctx, request, retrying)
	}
	if err != nil {
		return customers.Imported{}, err
	}
	return decode[customers.Imported](response)
}
