package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/tokenadmin"
)

func (a *app) leakCommand() *cobra.Command {
	var client string
	c := &cobra.Command{
		Use:   "leak [CREDENTIAL | -]",
		Short: "End a token or secret that has leaked",
		Long: `Recognizes a leaked access token, client secret or partner token, ends it and
every token issued with it, and records this in the audit log. The client or
partner stays active: give it a new credential with 'grantd client rotate-secret'
or 'grantd partner token create', or deactivate it.

A secret that was imported cannot be recognized by itself: grantd only has its
hash. With --client, the credential is also compared with the imported secrets
of that client.

Without CREDENTIAL, or with -, it is read from standard input, which must contain
nothing else. An argument works too, but is visible in the process list and in
the shell's history.`,
		Example: `  grantd leak < found.txt
  grantd leak --client billing < found.txt    # perhaps an imported secret of billing`,
		Args: optional("CREDENTIAL"),
	}
	c.Flags().StringVar(&client, "client", "", "`ID` of the client whose imported secret it may be")
	c.RunE = func(c *cobra.Command, args []string) error {
		body := map[string]string{}
		if c.Flags().Changed("client") {
			if err := required(c, "client"); err != nil {
				return err
			}
			body["client_id"] = client
		}
		credential, err := a.readToken(c, args)
		if err != nil {
			return err
		}
		body["credential"] = credential
		response, err := a.callAPI(c, call{method: http.MethodPost, path: path("leaks"), body: body})
		if err != nil {
			return err
		}
		return show(a, response, a.leakPairs)
	}
	return a.connectFlags(c)
}

func (a *app) leakPairs(r tokenadmin.Leak) {
	if len(r.SecretIDs) > 0 {
		r.SecretID = strings.Join(r.SecretIDs, " ")
	}
	a.pairs([]pair{
		{"kind", text(r.Kind)},
		{"client_id", text(r.ClientID)},
		{"secret_id", text(r.SecretID)},
		{"partner_id", text(r.PartnerID)},
		{"partner_token_id", text(r.PartnerTokenID)},
		{"jti", text(r.TokenID)},
		{"ended", yesNo(r.Ended)},
	})
}
