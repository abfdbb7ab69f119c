package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/orgs"
)

// pathOrgs is the path of orgs in the admin API.
const pathOrgs = "orgs"

func (a *app) orgCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "org",
		Short: "Manage orgs, which have clients and customers",
		Long: `An org is a tenant. It has customers, and clients that may request tokens for
these customers. Customers and clients cannot move to another org.`,
	}
	kind := orgResource()
	c.AddCommand(
		a.orgPutCommand(), kind.list(a, "List all orgs", nil), kind.show(a, "Show an org"),
		kind.delete(a, "Delete an org and end all its tokens"),
		a.orgPartnersCommand(),
		kind.action(a, "deactivate", "Disable an org and end all its tokens for good", "is deactivated and its tokens are void"),
		kind.action(a, "reactivate", "Enable a deactivated org again", "is active again; its old tokens remain void"),
		kind.action(a, "void-tokens", "End all tokens of an org's clients and customers at once", "has no valid tokens anymore"),
	)
	return a.connectFlags(c)
}

func orgResource() resource[orgs.View, orgs.View] {
	return resource[orgs.View, orgs.View]{
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
		Use:     "put ID",
		Short:   "Create or update an org",
		Long:    `Creates the org ID, or changes its name. Repeating the command changes nothing.`,
		Example: `  grantd org put h5D8B5gyHtk= --name "Example Bank"`,
		Args:    operands("ID"),
	}
	c.Flags().StringVar(&spec.Name, "name", "", "`NAME` that customers see in messages (required)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "name"); err != nil {
			return err
		}
		response, err := a.callAPI(c, call{method: http.MethodPut, path: path(pathOrgs, args[0]), body: spec})
		if err != nil {
			return err
		}
		return show(a, response, func(v orgs.View) { a.pairs(orgPairs(v)) })
	}
	return c
}
