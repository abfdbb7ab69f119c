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
		Short: "Show the scopes that clients may have",
		Long: `A scope names a permission, such as users:read. The catalog of a server lists all
scopes: it is built in, one of the presets of the key scopes.preset (unit, unidy), or
read from the file that the key scopes.file names.`,
	}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List the scopes of the catalog", Args: operands(),
		Example: `  grantd scope list`,
		RunE: func(c *cobra.Command, _ []string) error {
			response, err := a.callAPI(c, call{method: http.MethodGet, path: path("scopes")})
			if err != nil {
				return err
			}
			return show(a, response, a.scopeGrid)
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
