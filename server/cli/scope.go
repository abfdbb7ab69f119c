package cli

import (
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/admin"
)

func (a *app) scopeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "scope",
		Short: "Show the scopes that clients can be given",
		Long: `A scope names a right, such as users:read. The server has a catalogue of them:
a built-in one, or the file that scopes.file of its configuration names.`,
	}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List the scopes of the catalogue", Args: operands(),
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := a.ask(c, call{method: http.MethodGet, path: path("scopes")})
			if err != nil {
				return err
			}
			return show(a, answer, a.scopeGrid)
		},
	})
	return a.connectFlags(c)
}

type scopeList struct {
	Scopes []admin.ScopeView `json:"scopes"`
}

func (a *app) scopeGrid(l scopeList) {
	var rows [][]string
	for _, v := range l.Scopes {
		rows = append(rows, []string{
			text(v.Name), strconv.FormatBool(v.ReadOnly), strconv.FormatBool(v.Sensitive), seconds(v.TTL), text(v.Description),
		})
	}
	a.grid([]string{"NAME", "READ_ONLY", "SENSITIVE", "TTL", "DESCRIPTION"}, rows)
}
