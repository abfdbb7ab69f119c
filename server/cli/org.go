package cli

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

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
		a.orgDeleteCommand(),
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
			return []string{text(v.OrgID), state(v.Active, v.HeldBack), stamp(&v.CreatedAt), text(v.Name)}
		},
		pairs: orgPairs,
	}
}

func orgPairs(v orgs.View) []pair {
	return []pair{
		{"org_id", text(v.OrgID)},
		{"name", text(v.Name)},
		{"state", state(v.Active, v.HeldBack)},
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

func (a *app) orgDeleteCommand() *cobra.Command {
	var members bool
	c := &cobra.Command{
		Use:   "delete ID",
		Short: "Delete an org and end all its tokens",
		Long: `Deletes the org ID and ends all its tokens. An org that has clients or customers
is not deleted, unless --with-clients-and-customers says to delete these too. If
the command is interrupted, run it again.`,
		Args: operands("ID"),
	}
	c.Flags().BoolVar(&members, "with-clients-and-customers", false, "also delete the clients and customers of the org")
	c.RunE = func(c *cobra.Command, args []string) error {
		server, err := a.connect(c)
		if err != nil {
			return err
		}
		if members {
			return a.deleteOrgWithMembers(c.Context(), server, args[0])
		}
		if _, err := server.do(c.Context(), call{method: http.MethodDelete, path: path(pathOrgs, args[0])}); err != nil {
			return err
		}
		return a.printDone("deleted", args[0], "org %s is deleted", text(args[0]))
	}
	return c
}

// progressEvery is how often a long command says how far it is.
const progressEvery = 5 * time.Second

// deletedOrg is what is printed as JSON about an org that is deleted.
type deletedOrg struct {
	Deleted   string `json:"deleted"`
	Clients   int    `json:"clients"`
	Customers int    `json:"customers"`
}

// deleteOrgWithMembers calls the API until the org and all that it has are
// deleted.
func (a *app) deleteOrgWithMembers(ctx context.Context, server *api, id string) error {
	sum, shown := deletedOrg{Deleted: id}, time.Now()
	for cursor := ""; ; {
		query := url.Values{"with_clients_and_customers": {"true"}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		response, err := server.do(ctx, call{method: http.MethodDelete, path: path(pathOrgs, id), query: query})
		if err != nil {
			return err
		}
		d, err := decode[orgs.Deletion](response)
		if err != nil {
			return err
		}
		sum.Clients += d.Clients
		sum.Customers += d.Customers
		if d.Deleted {
			break
		}
		if d.NextCursor == "" || d.NextCursor == cursor {
			return errors.New("the server makes no progress: it returned the same cursor twice")
		}
		cursor = d.NextCursor
		if time.Since(shown) >= progressEvery {
			shown = time.Now()
			a.say("%d clients and %d customers are deleted so far", sum.Clients, sum.Customers)
		}
	}
	if a.output == outputJSON {
		return a.printJSON(sum)
	}
	a.println("org %s is deleted with %d clients and %d customers", text(id), sum.Clients, sum.Customers)
	return nil
}
