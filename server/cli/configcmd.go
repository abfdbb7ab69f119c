package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check and print the configuration",
		Long: `The configuration is one YAML file. An environment variable can set any key: its
name is GRANTD_ and the key's path in upper case with _ for each dot, such as
GRANTD_TOKEN_TTL for token.ttl. The environment overrides the file.`,
		Example: `  grantd config example > grantd.yaml
  grantd config check --config grantd.yaml`,
	}
	c.AddCommand(a.configCheckCommand(), a.configPrintCommand(), a.configExampleCommand())
	a.configFlag(c)
	return c
}

func (a *app) configCheckCommand() *cobra.Command {
	var files bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong or risky in the configuration",
		Long: `Prints ok, or every error with its key. What is allowed but risky is a warning:
the exit code is 0. Of the files that the configuration names it reads only
customers.phone_key_file.

With --files it also reads the others: certificates,
keys, authorities, passwords and the scope catalog. An error is a file that is
missing, unreadable, or that every user can change; a key of another certificate;
and a certificate that has expired or is not valid yet. Run it as the user that
grantd runs as.`,
		Example: `  grantd config check --config /etc/grantd/grantd.yaml --files`,
		Args:    operands(),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := a.readConfig()
			if err != nil {
				return err
			}
			faults, more := server.CheckPhoneKeys(cfg.Customers.PhoneKeyFile), config.Faults(nil)
			if files {
				faults, more = server.CheckFiles(cfg, time.Now())
			}
			if len(faults) > 0 {
				return faults
			}
			file, risks := a.configPath(), append(cfg.Warnings(), more...)
			if a.output == outputJSON {
				return a.printJSON(checked{OK: true, File: file, Warnings: warningsOf(risks)})
			}
			for _, w := range warningsOf(risks) {
				a.println("warning: %s: %s", w.Key, visible(w.Problem))
			}
			if file == "" {
				file = "defaults and environment, no file given"
			}
			a.println("ok: %s", visible(file))
			return nil
		},
	}
	c.Flags().BoolVar(&files, "files", false, "also read the files that the configuration names")
	return c
}

// checked is the JSON of a configuration without errors.
type checked struct {
	File     string    `json:"file"`
	OK       bool      `json:"ok"`
	Warnings []warning `json:"warnings"`
}

type warning struct {
	Key     string `json:"key"`
	Problem string `json:"problem"`
}

func warningsOf(faults config.Faults) []warning {
	list := make([]warning, len(faults))
	for i, f := range faults {
		list[i] = warning{f.Path, f.Problem}
	}
	return list
}

func (a *app) configPrintCommand() *cobra.Command {
	return &cobra.Command{
		Use: "print", Short: "Print the effective configuration with every key, as YAML or JSON", Args: operands(),
		Example: `  grantd config print --config /etc/grantd/grantd.yaml`,
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
		Example: `  grantd config example > grantd.yaml`,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write([]byte(config.Example()))
			return err
		},
	}
}
