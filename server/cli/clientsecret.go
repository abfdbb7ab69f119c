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
	var undo bool
	c := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Create a new secret for a client and let the old one expire",
		Long: `Creates a new secret and shows it once. Old secrets keep working for the time set
by --grace, so that you can switch the service to the new one without downtime.
No secret lives longer than it would have without the rotation: give one more time
with 'grantd client extend-secret'.

Tokens issued with an old secret, and API keys made with those, live on until they
expire. If a secret has leaked, 'grantd leak' ends them too.

With --undo, ends the newest secret instead, with the tokens issued with it and the
API keys made with those. Secrets that the rotation shortened and that still work
get their former ends back.`,
		Example: `  grantd client rotate-secret billing --grace 1h
  grantd client rotate-secret billing --undo        # the service cannot use the new secret
  grantd client rotate-secret billing --grace 0s    # the old secrets stop working at once`,
		Args: operands("ID"),
	}
	c.Flags().StringVar(&grace, "grace", "", "`TIME` for which old secrets keep working, 0s to 30d (default: 24h)")
	c.Flags().BoolVar(&undo, "undo", false, "end the newest secret and give the older ones their former ends back")
	c.RunE = func(c *cobra.Command, args []string) error {
		if undo && c.Flags().Changed("grace") {
			return misuse(c, "--undo and --grace exclude each other: give only one")
		}
		if undo {
			return a.undoRotation(c, args[0])
		}
		rotate := call{method: http.MethodPost, path: path(pathClients, args[0], pathSecrets)}
		response, err := a.rotate(c, rotate, grace)
		if err != nil {
			return err
		}
		if v, err := decode[clients.Rotated](response); err == nil {
			a.warnEarly(v)
		}
		return show(a, response, a.rotatedPairs)
	}
	return a.final(c, func(q *question) string {
		if undo {
			return "the newest secret of client " + text(q.args[0]) + " stops working at once, with every token issued with it and every API key made with those"
		}
		if endsAtOnce(grace) {
			return "every secret that client " + text(q.args[0]) + " has now stops working at once; a --grace leaves time to change to the new one"
		}
		return "" // the old secrets go on to work
	})
}

func (a *app) rotatedPairs(v clients.Rotated) {
	a.pairs([]pair{
		{"client_id", text(v.ClientID)},
		{"client_secret", text(v.ClientSecret)},
		{"secret_id", text(v.SecretID)},
		{"previous_expires_at", stamp(v.PreviousExpiresAt)},
	})
	if len(v.OlderSecrets) > 0 {
		var rows [][]string
		for _, old := range v.OlderSecrets {
			rows = append(rows, []string{text(old.ID), stamp(&old.ExpiresAt), stamp(old.LastUsedAt)})
		}
		a.println("")
		a.grid([]string{"OLDER_SECRET_ID", "EXPIRES_AT", "LAST_USED_AT"}, rows)
	}
	a.say(shownOnce)
}

// warnEarly warns about secrets that are in use and end before the grace.
func (a *app) warnEarly(v clients.Rotated) {
	for _, old := range v.OlderSecrets {
		if old.EndsEarly {
			a.say("warning: secret %s is in use and ends at %s, before the grace has passed: 'grantd client extend-secret %s %s --for 24h' gives it more time",
				old.ID, stamp(&old.ExpiresAt), v.ClientID, old.ID)
		}
	}
}

func (a *app) undoRotation(c *cobra.Command, id string) error {
	response, err := a.callAPI(c, call{method: http.MethodPost, path: path(pathClients, id, pathSecrets, "undo-rotation")})
	if err != nil {
		return err
	}
	return show(a, response, func(v clients.Undone) {
		a.println("secret %s of client %s has ended, and the tokens issued with it are void", text(v.EndedSecretID), text(v.ClientID))
		if len(v.KeysEnded) > 0 {
			a.println("API keys that were made with those have ended: %s", list(v.KeysEnded))
		}
		a.println("")
		var rows [][]string
		for _, r := range v.Restored {
			rows = append(rows, []string{text(r.ID), stamp(r.ExpiresAt)})
		}
		a.grid([]string{"SECRET_ID", "EXPIRES_AT"}, rows)
	})
}

func (a *app) extendSecretCommand() *cobra.Command {
	var more string
	c := &cobra.Command{
		Use:   "extend-secret ID SID --for TIME",
		Short: "Let a secret that expires work for longer",
		Long: `Lets the secret SID (see 'grantd client secrets') work for the time set by --for,
from now on. It can get at most 30 days more than its first end. A secret that has
ended never works again.`,
		Example: `  grantd client extend-secret billing Ab3dEf7h --for 24h`,
		Args:    operands("ID", "SID"),
	}
	c.Flags().StringVar(&more, "for", "", "`TIME` for which it works from now on, such as 24h")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "for"); err != nil {
			return err
		}
		if _, err := config.ParseDuration(more); err != nil {
			return misuse(c, "--for: %s", err)
		}
		response, err := a.callAPI(c, call{
			method: http.MethodPost, path: path(pathClients, args[0], pathSecrets, args[1], "extend"), body: map[string]string{"for": more},
		})
		if err != nil {
			return err
		}
		return show(a, response, func(v clients.Extended) {
			a.pairs([]pair{
				{"client_id", text(v.ClientID)},
				{"secret_id", text(v.SecretID)},
				{"expires_at", stamp(&v.ExpiresAt)},
				{"extendable_until", stamp(v.ExtendableUntil)},
			})
		})
	}
	return c
}

func (a *app) revokeSecretCommand() *cobra.Command {
	var void bool
	c := &cobra.Command{
		Use:   "revoke-secret ID SID",
		Short: "End one secret of a client at once",
		Long: `Ends the secret SID (see 'grantd client secrets') at once. Tokens issued with it
and API keys made with those live on until they expire, unless --void-tokens ends
them too.`,
		Example: `  grantd client revoke-secret billing Ab3dEf7h
  grantd client revoke-secret billing Ab3dEf7h --void-tokens    # the secret has leaked`,
		Args: operands("ID", "SID"),
	}
	c.Flags().BoolVar(&void, "void-tokens", false, "also end the tokens issued with it, and the API keys made with those")
	c.RunE = func(c *cobra.Command, args []string) error {
		end := call{method: http.MethodDelete, path: path(pathClients, args[0], pathSecrets, args[1])}
		tokens := "the tokens issued with it and the API keys made with those live on until they expire"
		if void {
			end.query = url.Values{"void_tokens": {"true"}}
			tokens = "the tokens issued with it are void, and the API keys made with those have ended"
		}
		if _, err := a.callAPI(c, end); err != nil {
			return err
		}
		return a.printDone("ended", args[1], "secret %s of client %s has ended; %s", args[1], args[0], tokens)
	}
	return a.final(c, func(q *question) string {
		q.checkSecret(q.args[0], q.args[1])
		ends := "secret " + text(q.args[1]) + " of client " + text(q.args[0]) + " stops working at once"
		if void {
			ends += ", with every token issued with it and every API key made with those"
		}
		return ends + ", and cannot be restored; the client has " + q.count(call{path: path(pathClients, q.args[0], pathSecrets)}, pathSecrets, "secret")
	})
}
