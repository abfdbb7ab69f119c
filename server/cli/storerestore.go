package cli

import (
	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server"
)

func (a *app) storeRestoreCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Fill the store from a backup while no grantd serves",
		Long: `Verifies FILE, and fills the store of the configuration from it. No grantd may
serve with that store. With --force a store that is not empty is replaced: the
file of an embedded store is renamed and stays in its folder; what grantd has in
Redis is removed. The backup may come from the other kind of store.

At the next start, every token that was issued before is void. What can
authenticate is as it was when the backup was made, so what was ended later may
work again: 'grantd store doctor' goes through it.`,
		Example: `  grantd store restore /var/backups/grantd-2026-11-29.backup --config grantd.yaml`,
		Args:    operands("FILE"),
	}
	c.Flags().BoolVar(&force, "force", false, "replace a store that is not empty")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := a.readConfig()
		if err != nil {
			return err
		}
		restored, err := server.RestoreStore(c.Context(), cfg, args[0], force, a.copyOptions())
		if err != nil {
			return explainCopy(err)
		}
		if a.output == outputJSON {
			return a.printJSON(restored)
		}
		a.pairs(append([]pair{{"store", text(restored.Store)}, {"old file", text(restored.Moved)}}, summaryPairs(restored.Summary)...))
		return nil
	}
	return c
}
