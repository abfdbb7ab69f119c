package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/server/credential"
)

func (a *app) clientCreateCommand() *cobra.Command {
	var f clientFlags
	var id, org, hash string
	c := &cobra.Command{
		Use:   "create",
		Short: "Create a client and show its secret once",
		Long: `Creates a client with one secret. The secret is shown only once and cannot be
read later: grantd stores only its hash.

A flag that takes a list may be repeated, or given once with values separated by
commas.`,
		Example: `  # a service that may read and write users
  grantd client create --id billing --name Billing --scope "users:read users:write"

  # a resource server, which asks whether tokens are valid
  grantd client create --id users-api --introspect

  # an MCP server, and an agent whose tokens are only for it
  grantd client create --id notes-mcp --introspect --mcp https://mcp.example.com/mcp
  grantd client create --id agent --scope users:read --mcp https://mcp.example.com/mcp

  # a service that keeps the secret it had elsewhere
  grantd client create --id legacy --scope users:read --secret-hash '$2b$12$…'`,
		Args: operands(),
	}
	c.Flags().StringVar(&id, "id", "", "`ID` of the client: 1 to 128 of A-Z a-z 0-9 . _ ~ - (default: generated)")
	f.add(c)
	c.Flags().StringVar(&org, "org", "", "`ID` of the org it belongs to; cannot be changed later (default: none)")
	c.Flags().StringVar(&hash, "secret-hash", "", "`HASH` of an existing secret, instead of generating one: bcrypt, PBKDF2, Argon2id, or SHA-256 in hex")
	c.RunE = func(c *cobra.Command, _ []string) error {
		body, err := f.body(c)
		if err != nil {
			return err
		}
		for flag, member := range map[string]struct{ name, value string }{
			"id": {"client_id", id}, "org": {"org_id", org}, "secret-hash": {"secret_hash", hash},
		} {
			if !c.Flags().Changed(flag) {
				continue
			}
			if member.value == "" {
				return misuse(c, "--%s is empty", flag) // the API would treat it as absent
			}
			body[member.name] = member.value
		}
		if err := f.setResourceServer(c, body); err != nil {
			return err
		}
		response, err := a.callAPI(c, call{method: http.MethodPost, path: path(pathClients), body: body})
		if err != nil {
			return err
		}
		warnOfHash(a, hash)
		return show(a, response, a.createdPairs)
	}
	return c
}

// warnOfHash says what an operator must know of an imported hash.
func warnOfHash(a *app, hash string) {
	switch {
	case credential.IsBcrypt(hash):
		a.say("note: bcrypt reads only 72 bytes of a secret, so a longer secret is refused: if it is longer, rotate it")
	case credential.IsSHA256(hash):
		a.say("note: SHA-256 protects only random secrets, so a secret of less than %d characters is refused, and any counts as weak until it is rotated", credential.MinRandomLength)
	}
}

// setResourceServer makes the new client a resource server if --introspect is
// given, and otherwise refuses the flags that only resource servers have.
func (f *clientFlags) setResourceServer(c *cobra.Command, body clientBody) error {
	if f.introspect {
		scope, _ := body["scope"].(string)
		body.addIntrospect(scope)
		return nil
	}
	for _, flag := range []string{"token-use", "enforces"} {
		if c.Flags().Changed(flag) {
			return misuse(c, "--%s applies only to resource servers: add --introspect", flag)
		}
	}
	return nil
}

func (a *app) createdPairs(v clients.Created) {
	a.pairs(append([]pair{
		{"client_id", text(v.ClientID)},
		{"client_secret", text(v.ClientSecret)},
		{"secret_id", text(v.SecretID)},
	}, pairsOf(v.View)...))
	if v.ClientSecret != "" {
		a.say(shownOnce)
	}
}

const shownOnce = "the client_secret is shown only once: store it now"

func (a *app) clientUpdateCommand() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{
		Use:   "update ID",
		Short: "Change a client",
		Long: `Changes only what the flags set. An empty value clears a list or the name.
Removing a scope or a resource ends the client's tokens, and so does binding them
to addresses or removing an address that they are bound to.

Every list, such as --token-use or --enforces, replaces the whole old list:
repeat the values to keep. If a token use is left out, the resource server sees
tokens of that use as inactive at once.

--introspect adds the scope introspect to the client's scopes; --resource or
--mcp is then the URI of the resource server itself.`,
		Example: `  grantd client update billing --ttl 30m --source-ip 10.0.0.0/8
  grantd client update billing --source-ip ""
  grantd client update users-api --introspect --resource https://users.example.com
  grantd client update users-api --token-use client --token-use customer --token-use on_behalf \
    --enforces resources --enforces endpoints`,
		Args: operands("ID"),
	}
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		body, err := f.body(c)
		if err != nil {
			return err
		}
		if len(body) == 0 && !f.introspect {
			return misuse(c, "nothing to change: give at least one flag such as --scope")
		}
		server, err := a.connect(c)
		if err != nil {
			return err
		}
		change := call{method: http.MethodPatch, path: path(pathClients, args[0]), body: body}
		if f.introspect {
			if change.version, err = becomeResourceServer(c, server, change.path, body); err != nil {
				return err
			}
		}
		response, err := server.do(c.Context(), change)
		if err != nil {
			return err
		}
		return show(a, response, func(v clients.View) { a.pairs(clientPairs(v)) })
	}
	return c
}

// becomeResourceServer adds the scope introspect to --scope, or to the scopes
// that the client has. In the second case it returns the version it read, so
// that the update cannot undo a change that someone else makes in between.
func becomeResourceServer(c *cobra.Command, server *api, path string, body clientBody) (version uint64, err error) {
	if scope, ok := body["scope"].(string); ok {
		body.addIntrospect(scope)
		return 0, nil
	}
	response, err := server.do(c.Context(), call{method: http.MethodGet, path: path})
	if err != nil {
		return 0, err
	}
	v, err := decode[clients.View](response)
	body.addIntrospect(v.Scope)
	return v.Version, err
}
