package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/backup"
)

func (a *app) storeCheckCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check",
		Short: "Read everything in the store and report what is damaged",
		Long: `Reads and decodes everything in the store of the configuration, and prints what is
wrong: damaged pages of an embedded store, records that cannot be read, and
records in Redis that no list has. The exit code is 3 if it found something. It
changes nothing. An embedded store must not be in use; a grantd may serve with
Redis.

With --backup it checks a backup instead.`,
		Example: `  grantd store check --config grantd.yaml
  grantd store check --backup grantd-2026-11-29.backup`,
		Args: operands(),
	}
	c.Flags().StringVar(&file, "backup", "", "check this backup `FILE` instead of the store")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if c.Flags().Changed("backup") {
			return a.checkBackup(file)
		}
		cfg, err := a.readConfig()
		if err != nil {
			return err
		}
		r, err := server.CheckStore(c.Context(), cfg, a.copyOptions())
		if err != nil {
			return err
		}
		if err := a.printReport(r); err != nil {
			return err
		}
		if r.Problems > 0 {
			return errFound
		}
		return nil
	}
	return c
}

func (a *app) printReport(r *backup.Report) error {
	if a.output == outputJSON {
		return a.printJSON(r)
	}
	a.pairs(append(countPairs(r.Counts), pair{"problems", number(int64(r.Problems))}))
	for _, f := range r.Findings {
		a.println("%s %s: %s", text(f.Section), text(f.Key), visible(f.Problem))
	}
	return nil
}

func (a *app) checkBackup(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := backup.Verify(f)
	if err != nil {
		a.say("%s: %s", path, err)
		return errFound
	}
	if a.output == outputJSON {
		return a.printJSON(backedUp{path, sum})
	}
	a.pairs(append([]pair{{"file", text(path)}}, summaryPairs(sum)...))
	return nil
}
