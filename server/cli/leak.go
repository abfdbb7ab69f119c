package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/tokenadmin"
)

func (a *app) leakCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "leak [CREDENTIAL | -]",
		Short: "End a token or secret that has leaked",
		Long: `Recognizes a leaked access token, client secret or partner token, ends it and
every token issued with it, and records this in the audit log. The client or
partner stays active: give it a new credential with 'grantd client rotate-secret'
or 'grantd partner token create', or deactivate it.

Without CREDENTIAL, or with -, it is read from standard input, which must contain
nothing else. An argument works too, but is visible in the process list and in
the shell's history.`,
		Example: `  grantd leak < found.txt`,
		Args:    optional("CREDENTIAL"),
		RunE: func(c *cobra.Command, args []string) error {
			credential, err := a.readToken(c, args)
			if err != nil {
				return err
			}
			response, err := a.callAPI(c, call{method: http.MethodPost, path: path("leaks"), body: map[string]string{"credential": credential}})
			if err != nil {
				return err
			}
			return show(a, response, a.leakPairs)
		},
	}
	return a.connectFlags(c)
}

func (a *app) leakPairs(r tokenadmin.Leak) {
	ended := "no"
	if r.Ended {
		ended = "yes"
	}
	a.pairs([]pair{
		{"kind", text(r.Kind)},
		{"client_id", text(r.ClientID)},
		{"secret_id", text(r.SecretID)},
		{"partner_id", text(r.PartnerID)},
		{"partner_token_id", text(r.PartnerTokenID)},
		{"jti", text(r.TokenID)},
		{"ended", ended},
	})
}
