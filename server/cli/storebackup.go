package cli

import (
	"errors"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/backup"
)

// backedUp is what is printed as JSON about a backup.
type backedUp struct {
	File string `json:"file"`
	backup.Summary
}

func (a *app) storeBackupCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the store into a file, also while grantd serves",
		Long: `Copies the store into FILE, which only you can read. A grantd that listens on the
admin socket makes the copy, while it serves requests; if there is none, this
command opens the store itself. The file is verified before it gets its name.

The file has everything that was acknowledged before the command began, except
access tokens: they end with a restore. It has the hashes of secrets and the
phone numbers of customers, so keep it as safe as the store. It can be restored
into either kind of store.`,
		Example: `  grantd store backup /var/backups/grantd-$(date +%F).backup --config grantd.yaml`,
		Args:    operands("FILE"),
	}
	c.Flags().BoolVar(&force, "force", false, "replace FILE if it exists")
	c.RunE = func(c *cobra.Command, args []string) error {
		sum, err := backup.WriteFile(args[0], force, func(w io.Writer) error { return a.backupTo(c, w) })
		if err != nil {
			return explainCopy(err)
		}
		if a.output == outputJSON {
			return a.printJSON(backedUp{args[0], sum})
		}
		a.pairs(append([]pair{{"file", text(args[0])}}, summaryPairs(sum)...))
		return nil
	}
	a.serverFlags(c)
	return c
}

// backupTo writes a backup of the server that is running, or of the store if there is
// no server.
func (a *app) backupTo(c *cobra.Command, w io.Writer) error {
	running, err := a.connect(c)
	if err != nil {
		return err
	}
	err = running.stream(c.Context(), call{method: http.MethodPost, path: backup.PathBackup, idempotent: true}, w)
	var unreachable *unreachableError
	if !errors.As(err, &unreachable) || !unreachable.absent || a.socket != "" || a.server != "" {
		return err
	}
	cfg, err := a.readConfig()
	if err != nil {
		return err
	}
	o := a.copyOptions()
	s, err := server.OpenStore(c.Context(), cfg, o, false)
	if err != nil {
		return err
	}
	_, err = backup.Export(c.Context(), s, w, o)
	if err == nil {
		err = o.Audit(c.Context(), s, audit.Change{Action: "store.backup"})
	}
	return errors.Join(err, s.Close())
}
