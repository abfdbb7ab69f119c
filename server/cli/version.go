package cli

import (
	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/version"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version of this program", Args: operands(),
		Example: `  grantd version --output json`,
		RunE: func(*cobra.Command, []string) error {
			info := version.Read()
			if a.output == outputJSON {
				return a.printJSON(info)
			}
			commit := text(info.Commit)
			if info.Modified {
				commit += " (modified)"
			}
			a.pairs([]pair{{"version", info.Version}, {"commit", commit}, {"go", info.Go}})
			return nil
		},
	}
}
