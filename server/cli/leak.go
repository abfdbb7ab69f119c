package cli

import (
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/lastuse"
	"github.com/grantd/grantd/server/tokenadmin"
)

// maxFound is the longest credential with what is around it, in bytes.
const maxFound = 4096

func (a *app) leakCommand() *cobra.Command {
	var client string
	var scan, yes bool
	c := &cobra.Command{
		Use:   "leak [CREDENTIAL | -] | leak --scan [FILE | -]",
		Short: "End a token or secret that has leaked",
		Long: `Recognizes a leaked access token, client secret, partner token or API key, ends it
and every token and API key made with it, and records this in the audit log. The
client or partner stays active: give it a new credential with
'grantd client rotate-secret' or 'grantd partner token create', or deactivate it.

A secret that was imported cannot be recognized by itself: grantd only has its
hash. With --client, the credential is also compared with the imported secrets
of that client.

Without CREDENTIAL, or with -, it is read from standard input. What is around it,
such as quotes, does not matter. An argument works too, but is visible in the
process list and in the shell's history.

With --scan, finds every credential in a text of up to 1 MiB, such as a log, also in
Basic headers, and shows what each is. It ends none of them, and the exit code is 3
if there are any, unless all have ended already. With --yes too, it ends all of them.`,
		Example: `  grantd leak < found.txt
  grantd leak --client billing < found.txt    # perhaps an imported secret of billing
  grantd leak --scan build.log                # look
  grantd leak --scan --yes build.log          # end all of them`,
		Args: optional("CREDENTIAL"),
	}
	c.Flags().BoolVar(&scan, "scan", false, "find all credentials in a text, which the argument names or standard input has")
	c.Flags().BoolVar(&yes, "yes", false, "with --scan: end them")
	c.Flags().StringVar(&client, "client", "", "`ID` of the client whose imported secret it may be")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case scan && c.Flags().Changed("client"):
			return misuse(c, "--scan and --client exclude each other: an imported secret cannot be found in a text")
		case scan:
			return a.scanLeaks(c, args, yes)
		case yes:
			return misuse(c, "--yes belongs to --scan")
		}
		body := map[string]string{}
		if c.Flags().Changed("client") {
			if err := required(c, "client"); err != nil {
				return err
			}
			body["client_id"] = client
		}
		credential, err := a.readFound(c, args)
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
	a.pairs(append([]pair{
		{"kind", text(r.Kind)},
		{"client_id", text(r.ClientID)},
		{"secret_id", text(r.SecretID)},
		{"partner_id", text(r.PartnerID)},
		{"partner_token_id", text(r.PartnerTokenID)},
		{"org_id", text(r.OrgID)},
		{"key_id", text(r.KeyID)},
		{"key_owner", text(r.KeyOwner)},
		{"key_name", text(r.KeyName)},
		{"jti", text(r.TokenID)},
		{"ended", yesNo(r.Ended)},
		{"keys_ended", list(r.KeysEnded)},
	}, leakHistory(r)...))
	if len(r.Issues) == 0 {
		return
	}
	a.println("")
	var rows [][]string
	for _, i := range r.Issues {
		address := text(i.Address)
		if i.Addresses > 1 {
			address += " +" + number(i.Addresses-1)
		}
		rows = append(rows, []string{stamp(i.Since), stamp(&i.Time), address, number(max(i.Count, 1))})
	}
	a.grid([]string{"TOKENS_SINCE", "UNTIL", "ADDRESS", "COUNT"}, rows)
}

// leakHistory returns when a credential ended before, and its last use.
func leakHistory(r tokenadmin.Leak) (pairs []pair) {
	if r.AlreadyEnded {
		pairs = append(pairs, pair{"ended_already_at", stamp(r.EndedAt)}, pair{"ended_already_by", text(r.EndedBy)})
	}
	return append(pairs, lastUse(r.Use)...)
}

// lastUse returns the last use of a credential; none if it is not known.
func lastUse(v *lastuse.View) []pair {
	if v == nil {
		return nil
	}
	return []pair{{"last_used_at", stamp(v.LastUsedAt)}, {"last_used_ip", optionalText(v.LastUsedIP)}, {"use_count", number(v.UseCount)}}
}

// readFound returns the argument, or else the content of standard input, which may
// have something around the credential.
func (a *app) readFound(c *cobra.Command, args []string) (string, error) {
	if len(args) > 0 && args[0] != "-" {
		return args[0], nil
	}
	input, err := readAll(c.Context(), a.in, maxTokenInput)
	switch found := strings.TrimSpace(string(input)); {
	case errors.Is(err, errTooMuch) || len(found) > maxFound:
		return "", misuse(c, "standard input is too long for one credential: --scan finds those in a text")
	case err != nil:
		return "", err
	case found == "":
		return "", misuse(c, "standard input is empty: it must contain the credential")
	default:
		return found, nil
	}
}
