package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) customerImportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Make or change many customers, from a file",
		Long: `Reads a customer from each line of FILE, or of standard input for -, as a JSON
object with customer_id, org_id, type and phone, and where it has them
authorized_users and language. Each is made, or made to be as its line says,
like 'grantd customer put' does.

First everything is checked. If a line is wrong, all that are wrong are told
with their numbers, and nothing is written. An import that was interrupted is
taken up again by the same command: what is done is unchanged then.`,
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
			from, err := a.source(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.importWith(c.Context(), a.progress(isTerminal(a.err)), server, from)
		},
	}
}

// importWith goes through the source twice: nothing is written before all
// of it is found good.
func (a *app) importWith(ctx context.Context, shown *progress, server *api, from source) error {
	check := &pass{server: server, from: from, progress: shown, check: true, faults: faults{name: from.name}}
	err := check.run(ctx)
	wrong := check.faults.tell(a)
	switch {
	case err != nil:
		a.say("nothing is written")
		return err
	case wrong != "":
		return errors.New(wrong + ": nothing is written")
	case check.good() == 0:
		return fmt.Errorf("%s holds no customers", from.name)
	}
	return a.writeCustomers(ctx, &pass{
		server: server, from: from, progress: shown, of: check.good(), answered: true, faults: faults{name: from.name},
	})
}

func (a *app) writeCustomers(ctx context.Context, write *pass) error {
	err := write.run(ctx)
	wrong := write.faults.tell(a)
	if err != nil {
		a.say("stopped with %d of %s written (%s); run the same command again to go on: what is done is unchanged then",
			write.good(), plural(write.of, "customer"), write.tally)
		return err
	}
	if a.output == outputJSON {
		err = a.printJSON(write.tally)
	} else {
		a.println("%s: %s", plural(write.good()+write.Refused, "customer"), write.tally)
	}
	if wrong != "" {
		return errors.New(wrong + " that the check had passed, and the others are written: the file or the server has changed in between")
	}
	return err
}
