package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/partners"
)

// pathPartnerTokens follows the partner's path in the admin API.
const pathPartnerTokens = "tokens"

func (a *app) partnerTokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Manage the long-lived tokens that a partner holds",
		Long: `A partner token is a long-lived secret of a partner's backend. The backend
exchanges it for short-lived tokens on behalf of orgs.`,
	}
	c.AddCommand(a.partnerTokenCreateCommand(), a.partnerTokenListCommand(), a.partnerTokenRevokeCommand())
	return c
}

func (a *app) partnerTokenCreateCommand() *cobra.Command {
	var spec partners.TokenSpec
	var expires string
	c := &cobra.Command{
		Use:   "create ID",
		Short: "Create a token for a partner",
		Long: `Creates a token for the partner ID and shows it once. The token expires after
the time set by --expires, which cannot be extended. Before then, create another
one, and revoke the old one once the partner uses the new one.`,
		Example: `  grantd partner token create hurdlr --name reporting
  grantd partner token create hurdlr --name reporting --expires 30d --source-ip 203.0.113.0/24`,
		Args: operands("ID"),
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&spec.Name, "name", "", "`NAME` that says what the token is for (required)")
	flags.StringVar(&expires, "expires", "", "`LIFETIME` of the token, 1m to 365d (default: 90d)")
	flags.StringSliceVar(&spec.SourceIPs, "source-ip", nil, "`CIDR` that it may be used from; may be repeated (default: anywhere)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "name"); err != nil {
			return err
		}
		if c.Flags().Changed("expires") {
			if _, err := config.ParseDuration(expires); err != nil {
				return misuse(c, "--expires: %s", err)
			}
			spec.Lifetime = &expires
		}
		response, err := a.callAPI(c, call{method: http.MethodPost, path: path(pathPartners, args[0], pathPartnerTokens), body: spec})
		if err != nil {
			return err
		}
		return show(a, response, func(v partners.CreatedToken) {
			a.pairs([]pair{
				{"partner_id", text(v.PartnerID)},
				{"token", text(v.Token)},
				{"token_id", text(v.ID)},
				{"name", text(v.Name)},
				{"source_ips", list(v.SourceIPs)},
				{"expires_at", stamp(&v.ExpiresAt)},
			})
			a.say(tokenShownOnce)
		})
	}
	return c
}

const tokenShownOnce = "the token is shown only once: store it now"

func (a *app) partnerTokenListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list ID", Short: "List a partner's tokens and when each was last used", Args: operands("ID"),
		Example: `  grantd partner token list hurdlr`,
		RunE: func(c *cobra.Command, args []string) error {
			response, err := a.callAPI(c, call{method: http.MethodGet, path: path(pathPartners, args[0], pathPartnerTokens)})
			if err != nil {
				return err
			}
			return show(a, response, a.partnerTokenGrid)
		},
	}
}

type partnerTokenList struct {
	Tokens []partners.TokenView `json:"tokens"`
}

func (a *app) partnerTokenGrid(l partnerTokenList) {
	var rows [][]string
	for _, v := range l.Tokens {
		ip := ""
		if v.LastUsedIP != nil {
			ip = *v.LastUsedIP
		}
		is := "active"
		switch {
		case v.RevokedAt != nil:
			is = "revoked"
		case !v.Active:
			is = "expired"
		}
		rows = append(rows, []string{
			text(v.ID), is, stamp(&v.CreatedAt), stamp(&v.ExpiresAt), stamp(v.LastUsedAt), text(ip), number(v.UseCount),
			text(v.CreatedBy), list(v.SourceIPs), text(v.Name),
		})
	}
	a.grid([]string{
		"TOKEN_ID", "STATE", "CREATED_AT", "EXPIRES_AT", "LAST_USED_AT", "LAST_USED_IP", "USE_COUNT", "CREATED_BY", "SOURCE_IPS", "NAME",
	}, rows)
}

func (a *app) partnerTokenRevokeCommand() *cobra.Command {
	return a.final(&cobra.Command{
		Use:     "revoke ID TOKEN_ID",
		Short:   "End one token of a partner and all tokens made with it, at once",
		Example: `  grantd partner token revoke hurdlr Ab3dEf7h    # 'grantd partner token list' shows the IDs`,
		Args:    operands("ID", "TOKEN_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := a.callAPI(c, call{method: http.MethodDelete, path: path(pathPartners, args[0], pathPartnerTokens, args[1])}); err != nil {
				return err
			}
			return a.printDone("revoked", args[1], "token %s of partner %s is revoked, and the tokens made with it are void", text(args[1]), text(args[0]))
		},
	}, says("for partner %s, the long-lived token %s and every token made with it end"))
}
