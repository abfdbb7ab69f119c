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
		kind.action(a, "deactivate", "Disable an org until it is reactivated, and end all its tokens and API keys",
			"is deactivated; its tokens are void, and its API keys have ended for good"),
		kind.action(a, "reactivate", "Enable a deactivated org again", "is active again; its old tokens remain void, and its programs need new API keys"),
		a.final(kind.action(a, "void-tokens", "End all tokens of an org's clients and customers at once, and all its API keys",
			"has no valid tokens anymore; its API keys have ended for good, and its programs need new ones"), orgVoiding),
	)
	return a.connectFlags(c)
}

func orgResource() resource[orgs.View, orgs.View] {
	return resource[orgs.View, orgs.View]{
		noun: "org", path: pathOrgs, example: "h5D8B5gyHtk=",
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
		Example: `  grantd org delete h5D8B5gyHtk=
  grantd org delete h5D8B5gyHtk= --with-clients-and-customers --yes`,
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
	return a.final(c, func(q *question) string { return orgDeletion(q, members) })
}

// customersOf returns how many customers the org has.
func customersOf(q *question) string {
	return q.count(call{path: path(pathCustomers), query: url.Values{"org_id": {q.args[0]}}}, pathCustomers, "customer")
}

// clientsOf returns how many clients the org has.
func clientsOf(q *question) string {
	return q.count(call{path: path(pathClients), query: url.Values{"org_id": {q.args[0]}}}, pathClients, "client")
}

// orgDeletion says what the deletion of an org ends. Members are its clients and
// customers.
func orgDeletion(q *question, members bool) string {
	org := "org " + text(q.args[0])
	grants := q.count(call{path: path(pathOrgs, q.args[0], pathPartners)}, pathPartners, "grant")
	if members {
		return org + ", its " + clientsOf(q) + ", its " + customersOf(q) + ", its " + grants + " to partners and all their tokens end, and nothing brings them back. " +
			"'grantd org deactivate' keeps them"
	}
	return org + " and its " + grants + " to partners end; it is refused if the org has clients or customers (it has " + clientsOf(q) + " and " + customersOf(q) + ")"
}

// orgVoiding says what ends with the tokens of an org.
func orgVoiding(q *question) string {
	return "for org " + text(q.args[0]) + ", every token of its " + clientsOf(q) + ", of its " + customersOf(q) +
		" and of partners on its behalf ends; all of them have to request new ones"
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
			a.say("deleted so far: %s and %s", plural(sum.Clients, "client"), plural(sum.Customers, "customer"))
		}
	}
	if a.output == outputJSON {
		return a.printJSON(sum)
	}
	a.println("org %s is deleted with %s and %s", text(id), plural(sum.Clients, "client"), plural(sum.Customers, "customer"))
	return nil
}
