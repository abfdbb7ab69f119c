package cli

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
)

// pathSecrets follows the client's path in the admin API.
const pathSecrets = "secrets"

func (a *app) rotateSecretCommand() *cobra.Command {
	var grace string
	c := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Create a new secret for a client and let the old one expire",
		Long: `Creates a new secret and shows it once. Old secrets keep working for the time set
by --grace, so that you can switch the service to the new one without downtime.
No secret lives longer than it would have without the rotation.`,
		Example: `  grantd client rotate-secret billing --grace 1h
  grantd client rotate-secret billing --grace 0s    # the old secret has leaked`,
		Args: operands("ID"),
	}
	c.Flags().StringVar(&grace, "grace", "", "`TIME` for which old secrets keep working, 0s to 30d (default: 24h)")
	c.RunE = func(c *cobra.Command, args []string) error {
		rotate := call{method: http.MethodPost, path: path(pathClients, args[0], pathSecrets)}
		if c.Flags().Changed("grace") {
			if _, err := config.ParseDuration(grace); err != nil {
				return misuse(c, "--grace: %s", err)
			}
			rotate.body = map[string]string{"grace": grace}
		}
		response, err := a.callAPI(c, rotate)
		if err != nil {
			return err
		}
		return show(a, response, a.rotatedPairs)
	}
	return c
}

func (a *app) rotatedPairs(v clients.Rotated) {
	a.pairs([]pair{
		{"client_id", text(v.ClientID)},
		{"client_secret", text(v.ClientSecret)},
		{"secret_id", text(v.SecretID)},
		{"previous_expires_at", stamp(v.PreviousExpiresAt)},
	})
	a.say(shownOnce)
}

func (a *app) secretsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "secrets ID", Short: "List a client's secrets and when each was last used", Args: operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			response, err := a.callAPI(c, call{method: http.MethodGet, path: path(pathClients, args[0], pathSecrets)})
			if err != nil {
				return err
			}
			return show(a, response, a.secretGrid)
		},
	}
}

type secretList struct {
	Secrets []clients.SecretView `json:"secrets"`
}

func (a *app) secretGrid(l secretList) {
	var rows [][]string
	for _, v := range l.Secrets {
		ip := ""
		if v.LastUsedIP != nil {
			ip = *v.LastUsedIP
		}
		rows = append(rows, []string{
			text(v.ID), stamp(&v.CreatedAt), stamp(v.ExpiresAt), stamp(v.LastUsedAt), text(ip), number(v.UseCount), yesNo(v.Weak),
		})
	}
	a.grid([]string{"SECRET_ID", "CREATED_AT", "EXPIRES_AT", "LAST_USED_AT", "LAST_USED_IP", "USE_COUNT", "WEAK"}, rows)
}

func (a *app) revokeSecretCommand() *cobra.Command {
	var void bool
	c := &cobra.Command{
		Use:   "revoke-secret ID SID",
		Short: "End one secret of a client at once",
		Long: `Ends the secret SID (see 'grantd client secrets') at once. Tokens issued with it
remain valid until they expire, unless --void-tokens ends them too.`,
		Args: operands("ID", "SID"),
	}
	c.Flags().BoolVar(&void, "void-tokens", false, "also end the tokens issued with it")
	c.RunE = func(c *cobra.Command, args []string) error {
		end := call{method: http.MethodDelete, path: path(pathClients, args[0], pathSecrets, args[1])}
		tokens := "the tokens issued with it remain valid until they expire"
		if void {
			end.query = url.Values{"void_tokens": {"true"}}
			tokens = "the tokens issued with it are void"
		}
		if _, err := a.callAPI(c, end); err != nil {
			return err
		}
		return a.printDone("ended", args[1], "secret %s of client %s has ended; %s", args[1], args[0], tokens)
	}
	return c
}
