package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/clients"
)

// pathClients is where clients are in the admin API.
const pathClients = "clients"

func (a *app) clientCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "client",
		Short: "Manage clients and their secrets",
		Long: `A client is a backend service that may ask for access tokens. It has an id, and
one or more secrets; each is shown once, when it is made.

A resource server is a client too: one with the scope introspect, which may ask
whether a token is good.`,
	}
	c.AddCommand(
		a.clientCreateCommand(), a.clientListCommand(), a.clientShowCommand(), a.clientUpdateCommand(), a.clientDeleteCommand(),
		a.clientActionCommand("deactivate", "Refuse a client and end all its tokens, for good", "is deactivated, and its tokens are void"),
		a.clientActionCommand("reactivate", "Let a deactivated client ask for tokens again", "is active again; its old tokens stay void"),
		a.clientActionCommand("void-tokens", "End all tokens of a client at once", "has no valid tokens any more"),
		a.rotateSecretCommand(), a.secretsCommand(), a.revokeSecretCommand(),
	)
	return a.connectFlags(c)
}

func (a *app) clientListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all clients", Args: operands(),
		RunE: func(c *cobra.Command, _ []string) error {
			server, err := a.connect(c)
			if err != nil {
				return err
			}
			answer, err := server.pages(c.Context(), path(pathClients), "clients", everything)
			if err != nil {
				return err
			}
			return show(a, answer, a.clientGrid)
		},
	}
}

type clientList struct {
	Clients []clients.View `json:"clients"`
}

func (a *app) clientGrid(l clientList) {
	var rows [][]string
	for _, v := range l.Clients {
		rows = append(rows, []string{
			text(v.ClientID), clientState(v), seconds(v.TokenTTL), stamp(&v.CreatedAt), text(v.OrgID), text(v.Name), text(v.Scope),
		})
	}
	a.grid([]string{"CLIENT_ID", "STATE", "TOKEN_TTL", "CREATED_AT", "ORG_ID", "NAME", "SCOPE"}, rows)
}

func clientState(v clients.View) string {
	if v.Active {
		return "active"
	}
	return "deactivated"
}

func (a *app) clientShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a client", Args: operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := a.ask(c, call{method: http.MethodGet, path: path(pathClients, args[0])})
			if err != nil {
				return err
			}
			return show(a, answer, a.clientPairs)
		},
	}
}

func (a *app) clientPairs(v clients.View) {
	a.pairs(append([]pair{{"client_id", text(v.ClientID)}}, pairsOf(v)...))
}

// pairsOf is all of a client but its id.
func pairsOf(v clients.View) []pair {
	return []pair{
		{"name", text(v.Name)},
		{"state", clientState(v)},
		{"org_id", text(v.OrgID)},
		{"scope", text(v.Scope)},
		{"default_scope", text(v.DefaultScope)},
		{"token_ttl", seconds(v.TokenTTL)},
		{"auth_methods", list(v.AuthMethods)},
		{"source_ips", list(v.SourceIPs)},
		{"resources", list(v.Resources)},
		{"resource", text(v.Resource)},
		{"token_uses", list(v.TokenUses)},
		{"enforces", list(v.Enforces)},
		{"created_at", stamp(&v.CreatedAt)},
		{"updated_at", stamp(&v.UpdatedAt)},
		{"deactivated_at", stamp(v.DeactivatedAt)},
	}
}

func (a *app) clientDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "End all tokens of a client and delete it", Args: operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := a.ask(c, call{method: http.MethodDelete, path: path(pathClients, args[0])}); err != nil {
				return err
			}
			return a.done("deleted", args[0], "client %s is deleted", args[0])
		},
	}
}

// clientActionCommand is a verb that the API has under the same name.
func (a *app) clientActionCommand(verb, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := a.ask(c, call{method: http.MethodPost, path: path(pathClients, args[0], verb)})
			if err != nil {
				return err
			}
			return show(a, answer, func(v clients.View) { a.println("client %s %s", text(v.ClientID), done) })
		},
	}
}

// done tells of what leaves nothing to show: {"<verb>":"<id>"} or a line.
func (a *app) done(verb, id, format string, args ...any) error {
	if a.output == outputJSON {
		return a.printJSON(map[string]string{verb: id})
	}
	a.println(format, args...)
	return nil
}
