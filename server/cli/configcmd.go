package cli

import (
	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check and print the configuration",
		Long: `The configuration is one YAML file. Every key can also be set in the environment:
GRANTD_ and the key's path in upper case with _ between, as GRANTD_TOKEN_TTL.
The environment wins over the file.`,
		Example: `  grantd config example > grantd.yaml
  grantd config check --config grantd.yaml`,
	}
	c.AddCommand(a.configCheckCommand(), a.configPrintCommand(), a.configExampleCommand())
	a.configFlag(c)
	return c
}

func (a *app) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong with the configuration",
		Long: `Prints ok, or every fault with its key. Files that the configuration names (keys,
passwords, the scope catalogue) are read by 'grantd serve', not here.`,
		Args: operands(),
		RunE: func(*cobra.Command, []string) error {
			if _, err := a.readConfig(); err != nil {
				return err
			}
			file := a.configPath()
			if a.output == outputJSON {
				return a.printJSON(map[string]any{"ok": true, "file": file})
			}
			if file == "" {
				file = "defaults and environment, no file given"
			}
			a.println("ok: %s", visible(file))
			return nil
		},
	}
}

func (a *app) configPrintCommand() *cobra.Command {
	return &cobra.Command{
		Use: "print", Short: "Print the configuration in force, every key (YAML, or JSON with --output json)", Args: operands(),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.readConfig()
			if err != nil {
				return err
			}
			if a.output == outputJSON {
				a.println("%s", cfg.JSON())
				return nil
			}
			_, err = a.out.Write([]byte(cfg.YAML()))
			return err
		},
	}
}

func (a *app) configExampleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "example", Short: "Print a commented configuration file with every default", Args: operands(),
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write([]byte(config.Example()))
			return err
		},
	}
}
