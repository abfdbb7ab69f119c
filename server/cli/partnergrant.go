package cli

import (
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/partners"
)

// pathGrants is where what orgs granted a partner is, below it; lists have it
// under this name.
const pathGrants = "orgs"

func (a *app) partnerGrantCommand() *cobra.Command {
	var spec partners.GrantSpec
	var until string
	c := &cobra.Command{
		Use:   "grant ID ORG",
		Short: "Note that an org lets a partner read for it, and what",
		Long: `Notes that the org ORG agrees that the partner ID acts for it: with which scopes,
at which endpoints, until when. It replaces what was granted before; granting
less ends the tokens that were made with more, granting more leaves them as they
are.

An endpoint is GET or HEAD and a path, as a pattern of Go's net/http: {id} stands
for one segment, a path that ends with / for all below it. Without --endpoint the
partner may read wherever its scopes reach. With it, only resource servers that
say that they enforce endpoints accept its tokens.`,
		Example: `  grantd partner grant hurdlr h5D8B5gyHtk= --scope "customers cards"
  grantd partner grant hurdlr h5D8B5gyHtk= --scope cards --until 2027-01-01T00:00:00Z \
    --endpoint "GET /cards" --endpoint "GET /cards/{id}"`,
		Args: operands("ID", "ORG"),
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&spec.Scope, "scope", "", "`SCOPES` that it may have, separated by spaces (required)")
	flags.StringArrayVar(&spec.Endpoints, "endpoint", nil, "`ENDPOINT` that it may read, such as \"GET /cards\"; may be repeated (default: all)")
	flags.StringVar(&until, "until", "", "`TIME` at which it ends by itself, such as 2027-01-01T00:00:00Z (default: never)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "scope"); err != nil {
			return err
		}
		if _, err := scopes.ParseEndpoints(spec.Endpoints); err != nil {
			return misuse(c, "--endpoint: %s", err)
		}
		if c.Flags().Changed("until") {
			if _, err := time.Parse(time.RFC3339, until); err != nil {
				return misuse(c, "--until must be a time such as 2027-01-01T00:00:00Z")
			}
			spec.Until = &until
		}
		answer, err := a.ask(c, call{method: http.MethodPut, path: path(pathPartners, args[0], pathGrants, args[1]), body: spec})
		if err != nil {
			return err
		}
		return show(a, answer, func(v partners.GrantView) { a.pairs(grantPairs(v)) })
	}
	return c
}

func grantPairs(v partners.GrantView) []pair {
	return []pair{
		{"partner_id", text(v.PartnerID)},
		{"org_id", text(v.OrgID)},
		{"scope", text(v.Scope)},
		{"endpoints", list(v.Endpoints)},
		{"until", stamp(v.Until)},
		{"state", text(v.State)},
		{"created_at", stamp(&v.CreatedAt)},
		{"updated_at", stamp(&v.UpdatedAt)},
	}
}

func (a *app) partnerRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID ORG", Short: "Withdraw what an org granted a partner, with the tokens made for it",
		Args: operands("ID", "ORG"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := a.ask(c, call{method: http.MethodDelete, path: path(pathPartners, args[0], pathGrants, args[1])}); err != nil {
				return err
			}
			return a.done("revoked", args[1], "partner %s may not act for org %s any more, and its tokens for it are void", text(args[0]), text(args[1]))
		},
	}
}

func (a *app) partnerOrgsCommand() *cobra.Command {
	return a.grantsCommand("orgs ID", "List the orgs that granted a partner something, and what", pathPartners, pathGrants,
		"ORG_ID", func(v partners.GrantView) string { return v.OrgID })
}

func (a *app) orgPartnersCommand() *cobra.Command {
	return a.grantsCommand("partners ID", "List the partners that an org granted something, and what", pathOrgs, pathPartners,
		"PARTNER_ID", func(v partners.GrantView) string { return v.PartnerID })
}

// grantsCommand lists the grants of one side, with the other's ids: they are
// below the one in the admin API, under the others' name.
func (a *app) grantsCommand(use, short, one, others, head string, id func(partners.GrantView) string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: operands("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := a.connect(c)
			if err != nil {
				return err
			}
			answer, err := server.pages(c.Context(), call{path: path(one, args[0], others)}, others, everything)
			if err != nil {
				return err
			}
			return show(a, answer, func(lists map[string][]partners.GrantView) {
				var rows [][]string
				for _, v := range lists[others] {
					rows = append(rows, []string{text(id(v)), text(v.State), stamp(v.Until), text(v.Scope), list(v.Endpoints)})
				}
				a.grid([]string{head, "STATE", "UNTIL", "SCOPE", "ENDPOINTS"}, rows)
			})
		},
	}
}
