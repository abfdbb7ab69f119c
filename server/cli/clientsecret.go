package cli

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
)

// pathSecrets is where a client's secrets are, below it.
const pathSecrets = "secrets"

func (a *app) rotateSecretCommand() *cobra.Command {
	var grace string
	c := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Give a client a new secret and let the old one run out",
		Long: `Makes a new secret and shows it, once. The old ones keep working for the time of
--grace, so that the service can be given the new one without an interruption.
No secret lives longer than it would have.`,
		Example: `  grantd client rotate-secret billing --grace 1h
  grantd client rotate-secret billing --grace 0s    # the old secret has leaked`,
		Args: operands("ID"),
	}
	c.Flags().StringVar(&grace, "grace", "", "`TIME` that the old secrets keep working, 0s to 30d (default: 24h)")
	c.RunE = func(c *cobra.Command, args []string) error {
		rotate := call{method: http.MethodPost, path: path(pathClients, args[0], pathSecrets)}
		if c.Flags().Changed("grace") {
			if _, err := config.ParseDuration(grace); err != nil {
				return misuse(c, "--grace: %s", err)
			}
			rotate.body = map[string]string{"grace": grace}
		}
		answer, err := a.ask(c, rotate)
		if err != nil {
			return err
		}
		return show(a, answer, a.rotatedPairs)
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
			answer, err := a.ask(c, call{method: http.MethodGet, path: path(pathClients, args[0], pathSecrets)})
			if err != nil {
				return err
			}
			return show(a, answer, a.secretGrid)
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
			text(v.ID), stamp(&v.CreatedAt), stamp(v.ExpiresAt), stamp(v.LastUsedAt), text(ip), number(v.UseCount),
		})
	}
	a.grid([]string{"SECRET_ID", "CREATED_AT", "EXPIRES_AT", "LAST_USED_AT", "LAST_USED_IP", "USE_COUNT"}, rows)
}

func (a *app) revokeSecretCommand() *cobra.Command {
	var void bool
	c := &cobra.Command{
		Use:   "revoke-secret ID SID",
		Short: "End one secret of a client at once",
		Long: `Ends the secret SID (see 'grantd client secrets') at once. The tokens that were
made with it stay good until they expire, unless --void-tokens ends them too.`,
		Args: operands("ID", "SID"),
	}
	c.Flags().BoolVar(&void, "void-tokens", false, "end the tokens made with it too")
	c.RunE = func(c *cobra.Command, args []string) error {
		end := call{method: http.MethodDelete, path: path(pathClients, args[0], pathSecrets, args[1])}
		tokens := "the tokens made with it stay good until they expire"
		if void {
			end.query = url.Values{"void_tokens": {"true"}}
			tokens = "the tokens made with it are void"
		}
		if _, err := a.ask(c, end); err != nil {
			return err
		}
		return a.done("ended", args[1], "secret %s of client %s has ended; %s", args[1], args[0], tokens)
	}
	return c
}
