package cli

import (
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/tokenadmin"
	"github.com/grantd/grantd/store"
)

// maxTokenInput limits what is read from standard input, in bytes. No token is
// that long.
const maxTokenInput = 64 << 10

const pathTokens = "tokens"

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Explain and revoke access tokens",
		Long: `Without TOKEN, or with -, the token is read from standard input. This keeps it out
of the process list and the shell's history.`,
	}
	c.AddCommand(a.tokenExplainCommand(), a.tokenRevokeCommand(), a.tokenVoidAllCommand())
	return a.connectFlags(c)
}

const tokenHint = `

Without TOKEN, or with -, the token is read from standard input. An argument works
too, but is visible in the process list and in the shell's history.`

func (a *app) tokenExplainCommand() *cobra.Command {
	var jti string
	c := &cobra.Command{
		Use:   "explain [TOKEN | -]",
		Short: "Explain why a token is or is not valid",
		Long: `Shows whether a token is active. If it is not, shows what ended it, when and by
whom. The token itself tells more than its ID (--jti): whether it was made here
although its record is gone, and whether it was copied whole.` + tokenHint,
		Example: `  grantd token explain < token.txt
  grantd token explain --jti 8tLrT…    # the ID is in introspection, logs and the audit log`,
		Args: optional("TOKEN"),
	}
	c.Flags().StringVar(&jti, "jti", "", "`ID` of the token, instead of the token")
	c.RunE = func(c *cobra.Command, args []string) error {
		response, err := a.postToken(c, "explain", args, jti)
		if err != nil {
			return err
		}
		return show(a, response, a.explanationPairs)
	}
	return c
}

// postToken asks the server to do something with the token, or with the one that has
// the jti.
func (a *app) postToken(c *cobra.Command, do string, args []string, jti string) ([]byte, error) {
	body, err := a.tokenOrID(c, args, jti)
	if err != nil {
		return nil, err
	}
	return a.callAPI(c, call{method: http.MethodPost, path: path(pathTokens, do), body: body})
}

// tokenOrID returns the body of a request about one token: with its ID if --jti was
// given, and with the token otherwise.
func (a *app) tokenOrID(c *cobra.Command, args []string, jti string) (map[string]string, error) {
	switch {
	case !c.Flags().Changed("jti"):
		token, err := a.readToken(c, args)
		return map[string]string{"token": token}, err
	case len(args) > 0:
		return nil, misuse(c, "TOKEN and --jti exclude each other: give only one")
	case jti == "":
		return nil, misuse(c, "--jti is empty")
	}
	return map[string]string{"jti": jti}, nil
}

// explanationPairs omits what is absent, which is nearly everything for a
// malformed token.
func (a *app) explanationPairs(x tokenadmin.Explained) {
	var present []pair
	for _, p := range append([]pair{
		{"state", text(x.State)},
		{"detail", text(x.Detail)},
		{"ended_at", stamp(x.EndedAt)},
		{"ended_by", text(x.EndedBy)},
		{"void_of", text(x.VoidOf)},
		{"jti", text(x.ID)},
		{"token_use", text(x.Use)},
		{"sub", text(x.Subject)},
		{"org_id", text(x.OrgID)},
		{"authorized_user_id", text(x.UserID)},
		{"partner_id", text(x.PartnerID)},
		{"partner_token_id", text(x.PartnerTID)},
		{"key_owner", text(x.KeyOwner)},
		{"key_name", text(x.KeyName)},
		{"created_by", text(x.CreatedBy)},
		{"replaced_by", text(x.ReplacedBy)},
		{"client_id", text(x.ClientID)},
		{"client_state", text(x.ClientLife)},
		{"secret_id", text(x.SecretID)},
		{"secret_state", text(x.Secret)},
		{"scope", text(x.Scope)},
		{"upgradable_scope", text(x.Upgradable)},
		{"aud", list(x.Audience)},
		{"resources", text(strings.Join(resourceNames(x.Resources), " "))},
		{"source_ips", list(x.SourceIPs)},
		{"endpoints", list(x.Endpoints)},
		{"issued_at", stamp(x.IssuedAt)},
		{"expires_at", stamp(x.ExpiresAt)},
		{"expires_by", stamp(x.ExpiresBy)},
		{"auth_time", stamp(x.AuthTime)},
		{"amr", list(x.AMR)},
		{"parent_jtis", list(x.Parents)},
	}, lastUse(x.LastUse)...) {
		if p.value != absent {
			present = append(present, p)
		}
	}
	a.pairs(present)
}

// resourceNames returns the resources in the form of key create --resource.
func resourceNames(resources []store.Resource) (names []string) {
	for _, r := range resources {
		names = append(names, r.Type+":"+strings.Join(r.IDs, ","))
	}
	return names
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	var jti string
	c := &cobra.Command{
		Use:   "revoke [TOKEN | -]",
		Short: "End one token",
		Long:  `Ends a token. It is inactive on every replica when the command returns.` + tokenHint,
		Example: `  grantd token revoke < token.txt
  grantd token revoke --jti 8tLrT…    # the ID is in introspection, logs and the audit log`,
		Args: optional("TOKEN"),
	}
	c.Flags().StringVar(&jti, "jti", "", "`ID` of the token, instead of the token")
	c.RunE = func(c *cobra.Command, args []string) error {
		response, err := a.postToken(c, "revoke", args, jti)
		if err != nil {
			return err
		}
		return show(a, response, func(v revokedToken) { a.println("token %s is revoked", text(v.ID)) })
	}
	return c
}

func (a *app) tokenVoidAllCommand() *cobra.Command {
	return a.final(&cobra.Command{
		Use:   "void-all",
		Short: "End every token of every client",
		Long: `Makes every token issued so far inactive on every replica. Clients must request
new ones; their secrets do not change. Partner tokens and API keys end for good:
their users need new ones from you, or from the clients that make them. Use it in emergencies, and after you
restored a backup.`,
		Example: `  grantd token void-all --yes`,
		Args:    operands(),
		RunE: func(c *cobra.Command, _ []string) error {
			response, err := a.callAPI(c, call{method: http.MethodPost, path: path(pathTokens, "void-all")})
			if err != nil {
				return err
			}
			return show(a, response, func(struct{}) {
				a.println("every token issued before now is void; partner tokens and API keys have ended for good, so make new ones")
			})
		},
	}, func(q *question) string {
		return "every token of " + q.count(call{path: path(pathClients)}, pathClients, "client") +
			", of all customers and of all partners ends, long-lived ones too; clients request new ones, customers sign in again, " +
			"partners need new long-lived tokens, and orgs new API keys"
	})
}

type revokedToken struct {
	ID string `json:"revoked"`
}

// optional accepts one operand or none.
func optional(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return operands(name)(c, args)
	}
}

// readToken returns the argument, or else the content of standard input.
func (a *app) readToken(c *cobra.Command, args []string) (string, error) {
	if len(args) > 0 && args[0] != "-" {
		return args[0], nil
	}
	input, err := readAll(c.Context(), a.in, maxTokenInput)
	if errors.Is(err, errTooMuch) {
		return "", errors.New("standard input is too long for a token")
	}
	if err != nil {
		return "", err
	}
	switch words := strings.Fields(string(input)); len(words) {
	case 0:
		return "", misuse(c, "standard input is empty: it must contain a token")
	case 1:
		return words[0], nil
	default:
		return "", misuse(c, "standard input must contain one token and nothing else")
	}
}
