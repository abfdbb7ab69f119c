package cli

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// maxTokenInput bounds what is read from standard input: no token is as long.
const maxTokenInput = 64 << 10

const pathTokens = "tokens"

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Explain and revoke access tokens",
		Long: `Without TOKEN, or with -, the token is read from standard input. That keeps it
out of the process list and of the shell's history.`,
	}
	c.AddCommand(a.tokenExplainCommand(), a.tokenRevokeCommand(), a.tokenVoidAllCommand())
	return a.connectFlags(c)
}

const tokenHint = `

Without TOKEN, or with -, the token is read from standard input. As an argument
it works too, but stands in the process list and in the shell's history.`

func (a *app) tokenExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "explain [TOKEN | -]",
		Short:   "Say why a token is good or not",
		Long:    `Says whether a token is active, and if not, what ended it, when and by whom.` + tokenHint,
		Example: `  grantd token explain < token.txt`,
		Args:    optional("TOKEN"),
		RunE: func(c *cobra.Command, args []string) error {
			token, err := a.token(c, args)
			if err != nil {
				return err
			}
			answer, err := a.ask(c, call{
				method: http.MethodPost, path: path(pathTokens, "explain"), body: map[string]string{"token": token},
			})
			if err != nil {
				return err
			}
			return show(a, answer, a.explanationPairs)
		},
	}
}

// explanationPairs leaves out what is absent: of a malformed token that is
// nearly everything.
func (a *app) explanationPairs(x tokens.Explanation) {
	var present []pair
	for _, p := range []pair{
		{"state", text(x.State)},
		{"detail", text(x.Detail)},
		{"ended_at", stamp(x.EndedAt)},
		{"ended_by", text(x.EndedBy)},
		{"void_of", text(x.VoidOf)},
		{"jti", text(x.ID)},
		{"token_use", text(x.Use)},
		{"sub", text(x.Subject)},
		{"org_id", text(x.OrgID)},
		{"partner_id", text(x.PartnerID)},
		{"partner_token_id", text(x.PartnerTID)},
		{"client_id", text(x.ClientID)},
		{"client_state", text(x.ClientLife)},
		{"secret_id", text(x.SecretID)},
		{"secret_state", text(x.Secret)},
		{"scope", text(x.Scope)},
		{"upgradable_scope", text(x.Upgradable)},
		{"aud", list(x.Audience)},
		{"resources", list(named(x.Resources))},
		{"source_ips", list(x.SourceIPs)},
		{"endpoints", list(x.Endpoints)},
		{"issued_at", stamp(x.IssuedAt)},
		{"expires_at", stamp(x.ExpiresAt)},
		{"auth_time", stamp(x.AuthTime)},
		{"amr", list(x.AMR)},
		{"parent_jtis", list(x.Parents)},
	} {
		if p.value != absent {
			present = append(present, p)
		}
	}
	a.pairs(present)
}

// named answers a name for each resource: its type and id.
func named(resources []store.Resource) (names []string) {
	for _, r := range resources {
		for _, id := range r.IDs {
			names = append(names, r.Type+"/"+id)
		}
	}
	return names
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	var jti string
	c := &cobra.Command{
		Use:   "revoke [TOKEN | -]",
		Short: "End one token",
		Long:  `Ends a token: it is inactive on every replica when the command returns.` + tokenHint,
		Example: `  grantd token revoke < token.txt
  grantd token revoke --jti 8tLrT…    # as introspection, logs and audit name it`,
		Args: optional("TOKEN"),
	}
	c.Flags().StringVar(&jti, "jti", "", "`ID` of the token, in place of the token itself")
	c.RunE = func(c *cobra.Command, args []string) error {
		body := map[string]string{"jti": jti}
		if !c.Flags().Changed("jti") {
			token, err := a.token(c, args)
			if err != nil {
				return err
			}
			body = map[string]string{"token": token}
		} else if len(args) > 0 {
			return misuse(c, "give either TOKEN or --jti")
		} else if jti == "" {
			return misuse(c, "--jti is empty")
		}
		answer, err := a.ask(c, call{method: http.MethodPost, path: path(pathTokens, "revoke"), body: body})
		if err != nil {
			return err
		}
		return show(a, answer, func(v revokedToken) { a.println("token %s is revoked", text(v.ID)) })
	}
	return c
}

func (a *app) tokenVoidAllCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "void-all",
		Short: "End every token of every client",
		Long: `Makes every token that was issued before inactive on every replica. Clients ask
for new ones; their secrets stay as they are. For emergencies, and after a
backup was put back.`,
		Args: operands(),
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := a.ask(c, call{method: http.MethodPost, path: path(pathTokens, "void-all")})
			if err != nil {
				return err
			}
			return show(a, answer, func(struct{}) { a.println("every token issued before now is void") })
		},
	}
}

type revokedToken struct {
	ID string `json:"revoked"`
}

// optional takes one operand or none.
func optional(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return operands(name)(c, args)
	}
}

// token is the argument, or what stands on standard input.
func (a *app) token(c *cobra.Command, args []string) (string, error) {
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
		return "", misuse(c, "standard input holds no token")
	case 1:
		return words[0], nil
	default:
		return "", misuse(c, "standard input must hold one token and nothing else")
	}
}

// errTooMuch says that there is more input than was to be read.
var errTooMuch = errors.New("too much input")

// readAll reads up to limit bytes, but not past the end of ctx: a terminal may
// never give an end. Errors: errTooMuch.
func readAll(ctx context.Context, in io.Reader, limit int64) ([]byte, error) {
	type result struct {
		input []byte
		err   error
	}
	done := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(in, limit+1))
		done <- result{b, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		if r.err == nil && int64(len(r.input)) > limit {
			r.err = errTooMuch
		}
		return r.input, r.err
	}
}
