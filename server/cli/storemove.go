package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/backup"
)

func (a *app) storeMigrateCommand() *cobra.Command {
	var to string
	var force bool
	c := &cobra.Command{
		Use:   "migrate --to FILE",
		Short: "Move everything to another store while no grantd serves",
		Long: `Copies everything from the store of the configuration to the store of another
configuration FILE: from the embedded store to Redis, from Redis to the embedded
store, or between two of a kind. Secrets and tokens go on to work. Both
configurations need the same environment and issuer, and no grantd may serve with
either store. FILE alone says what the target is: GRANTD_* variables do not
override it.

At the end the target is read again and compared. If the command is interrupted,
run it again; until it succeeds, grantd does not start with the target. The old
store is not changed. Counters of limits are not moved.`,
		Example: `  grantd store migrate --config grantd.yaml --to redis.yaml`,
		Args:    operands(),
	}
	c.Flags().StringVar(&to, "to", "", "configuration `FILE` that names the target (required)")
	c.Flags().BoolVar(&force, "force", false, "empty the target first")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := required(c, "to"); err != nil {
			return err
		}
		from, err := a.readConfig()
		if err != nil {
			return err
		}
		target, _, err := config.Load(config.LoadOptions{File: to})
		if err != nil {
			return err
		}
		m, err := server.MigrateStore(c.Context(), from, target, force, a.copyOptions())
		if err != nil {
			return explainCopy(err)
		}
		if a.output == outputJSON {
			return a.printJSON(m)
		}
		a.printMigrated(m)
		return nil
	}
	return c
}

func (a *app) printMigrated(m backup.Migrated) {
	var rows [][]string
	for _, section := range sortedKeys(m.Copied) {
		rows = append(rows, []string{string(section), strconv.Itoa(m.Copied[section].Count), m.Copied[section].SHA256})
	}
	a.grid([]string{"SECTION", "COUNT", "SHA256"}, rows)
	a.println("%d void and %d expired tokens were left out", m.Void, m.Expired)
	a.println("the target has the same: start grantd with it, and never again with the old store")
}

func (a *app) storeIssuerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "set-issuer URL",
		Short: "Give the store another issuer while no grantd serves",
		Long: `Makes URL the issuer of the store, for example after a change of the domain.
Clients, secrets and tokens stay as they are. Tokens that were issued before keep
their issuer until they end. Set issuer to URL in the configuration too, then
start grantd. The environment cannot be changed.`,
		Example: `  grantd store set-issuer https://auth.example.com --config grantd.yaml`,
		Args:    operands("URL"),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, _, err := config.Load(config.LoadOptions{File: a.configPath(), Env: a.env, Overrides: map[string]string{"issuer": args[0]}})
		if err != nil {
			return err
		}
		o := a.copyOptions()
		s, err := server.OpenStore(c.Context(), cfg, o, true)
		if err != nil {
			return err
		}
		defer s.Close()
		r, err := backup.SetIssuer(c.Context(), s, cfg.Issuer, o)
		if err != nil {
			return err
		}
		if a.output == outputJSON {
			return a.printJSON(r)
		}
		a.println("the issuer is %s (it was %s): set issuer in the configuration too", text(r.Issuer), text(r.Was))
		return nil
	}
	return c
}
