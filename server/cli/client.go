package cli

import (
	"net/url"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/clients"
)

// pathClients is the path of clients in the admin API.
const pathClients = "clients"

func (a *app) clientCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "client",
		Short: "Manage clients and their secrets",
		Long: `A client is a backend service that may request access tokens. It has an ID and
one or more secrets. Each secret is shown only once, when it is created.

A resource server is a client with the scope introspect, which lets it ask
whether a token is valid.`,
	}
	kind := clientResource()
	c.AddCommand(
		a.clientCreateCommand(), a.clientListCommand(), kind.show(a, "Show a client"), a.clientUpdateCommand(), a.clientImportCommand(),
		kind.delete(a, "Delete a client and end all its tokens and the API keys that it made", clientDeletion),
		kind.action(a, "deactivate", "Disable a client until it is reactivated, and end all its tokens and the API keys that it made",
			"is deactivated; its tokens are void, and the API keys that it made have ended"),
		kind.action(a, "reactivate", "Enable a deactivated client again", "is active again; its old tokens remain void, and ended API keys remain ended"),
		a.final(kind.action(a, "void-tokens", "End all tokens of a client at once, and the API keys that it made", "has no valid tokens anymore, and the API keys that it made have ended"),
			says("every token issued to client %s ends, and so does every API key that it made; the client has to request new ones, and to make new keys")),
		a.rotateSecretCommand(), a.extendSecretCommand(), a.secretsCommand(), a.revokeSecretCommand(),
	)
	return a.connectFlags(c)
}

func (a *app) clientListCommand() *cobra.Command {
	params := map[string]string{"org": "org_id", "state": "state", "q": "q"} // by flag
	c := clientResource().list(a, "List all clients, or those that filters select", func(c *cobra.Command) (url.Values, error) {
		query := url.Values{}
		for flag, param := range params {
			if !c.Flags().Changed(flag) {
				continue
			}
			if err := required(c, flag); err != nil {
				return nil, err
			}
			query.Set(param, c.Flags().Lookup(flag).Value.String())
		}
		return query, nil
	})
	c.Flags().String("org", "", "only the clients of the org with this `ID`")
	c.Flags().String("state", "", "only clients in this `STATE`: active or deactivated")
	c.Flags().String("q", "", "only clients with this `TEXT` in the ID or the name")
	return c
}

func clientResource() resource[clients.View, clients.View] {
	return resource[clients.View, clients.View]{
		noun: "client", path: pathClients, example: "billing",
		heads: []string{"CLIENT_ID", "STATE", "TOKEN_TTL", "CREATED_AT", "ORG_ID", "NAME", "SCOPE"},
		row: func(v clients.View) []string {
			return []string{text(v.ClientID), state(v.Active, v.HeldBack), seconds(v.TokenTTL), stamp(&v.CreatedAt), text(v.OrgID), text(v.Name), text(v.Scope)}
		},
		pairs: clientPairs,
	}
}

func clientPairs(v clients.View) []pair {
	return append([]pair{{"client_id", text(v.ClientID)}}, pairsOf(v)...)
}

// pairsOf returns all attributes of a client except its ID.
func pairsOf(v clients.View) []pair {
	return []pair{
		{"name", text(v.Name)},
		{"state", state(v.Active, v.HeldBack)},
		{"org_id", text(v.OrgID)},
		{"scope", text(v.Scope)},
		{"default_scope", text(v.DefaultScope)},
		{"token_ttl", seconds(v.TokenTTL)},
		{"auth_methods", list(v.AuthMethods)},
		{"source_ips", list(v.SourceIPs)},
		{"bind_source_ip", yesNo(v.BindSourceIP)},
		{"resources", list(v.Resources)},
		{"resource", text(v.Resource)},
		{"token_uses", list(v.TokenUses)},
		{"enforces", list(v.Enforces)},
		{"issue_limit", optionalText(v.IssueLimit)},
		{"created_at", stamp(&v.CreatedAt)},
		{"updated_at", stamp(&v.UpdatedAt)},
		{"deactivated_at", stamp(v.DeactivatedAt)},
		{"weak_secret", yesNo(v.Weak)},
	}
}

// clientDeletion says what the deletion of a client ends.
func clientDeletion(q *question) string {
	id := q.args[0]
	return "client " + text(id) + ", its " + q.count(call{path: path(pathClients, id, pathSecrets)}, pathSecrets, "secret") +
		" and every token issued to it end, and so does every API key that it made. A client that is created later with this ID has other secrets. " +
		"'grantd client deactivate' keeps the client"
}
