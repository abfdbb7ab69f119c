package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/orgs"
)

// pathOrgs is where orgs are in the admin API.
const pathOrgs = "orgs"

func (a *app) orgCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "org",
		Short: "Manage orgs, whose clients and customers belong together",
		Long: `An org is a tenant. It has customers, and clients that may ask for tokens for
them; neither ever moves to another org.`,
	}
	kind := orgRecords()
	c.AddCommand(
		a.orgPutCommand(), kind.list(a, "List all orgs", nil), kind.show(a, "Show an org"),
		kind.delete(a, "End all tokens of an org and delete it"),
		a.orgPartnersCommand(),
		kind.action(a, "deactivate", "Refuse an org and end all its tokens, for good", "is deactivated, and its tokens are void"),
		kind.action(a, "reactivate", "Let a deactivated org work again", "is active again; its old tokens stay void"),
		kind.action(a, "void-tokens", "End all tokens of an org's clients and customers at once", "has no valid tokens any more"),
	)
	return a.connectFlags(c)
}

func orgRecords() records[orgs.View, orgs.View] {
	return records[orgs.View, orgs.View]{
		noun:  "org",
		path:  pathOrgs,
		heads: []string{"ORG_ID", "STATE", "CREATED_AT", "NAME"},
		row: func(v orgs.View) []string {
			return []string{text(v.OrgID), state(v.Active), stamp(&v.CreatedAt), text(v.Name)}
		},
		pairs: orgPairs,
	}
}

func orgPairs(v orgs.View) []pair {
	return []pair{
		{"org_id", text(v.OrgID)},
		{"name", text(v.Name)},
		{"state", state(v.Active)},
		{"created_at", stamp(&v.CreatedAt)},
		{"updated_at", stamp(&v.UpdatedAt)},
		{"deactivated_at", stamp(v.DeactivatedAt)},
	}
}

func (a *app) orgPutCommand() *cobra.Command {
	var spec orgs.Spec
	c := &cobra.Command{
		Use:   "put ID",
		Short: "Make an org, or change it",
		Long: `Makes the org ID, or gives the one that there is this name. Put twice, it stays
as it is.`,
		Example: `  grantd org put h5D8B5gyHtk= --name "Example Bank"`,
		Args:    operands("ID"),
	}
	c.Flags().StringVar(&spec.Name, "name", "", "`NAME`, as customers read it in messages (required)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "name"); err != nil {
			return err
		}
		answer, err := a.ask(c, call{method: http.MethodPut, path: path(pathOrgs, args[0]), body: spec})
		if err != nil {
			return err
		}
		return show(a, answer, func(v orgs.View) { a.pairs(orgPairs(v)) })
	}
	return c
}
