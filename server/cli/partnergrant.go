package cli

import (
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/partners"
)

// pathGrants follows the partner's path in the admin API, for the grants of
// orgs. It is also their name in lists.
const pathGrants = "orgs"

func (a *app) partnerGrantCommand() *cobra.Command {
	var spec partners.GrantSpec
	var until string
	c := &cobra.Command{
		Use:   "grant ID ORG",
		Short: "Grant a partner access to the data of an org",
		Long: `Records that the org ORG lets the partner ID act for it: with which scopes, at
which endpoints and until when. This replaces an earlier grant. If it grants less,
tokens made under the earlier grant end; if it grants more, they stay valid.

An endpoint is GET or HEAD and a path, written as a pattern of Go's net/http: {id}
matches one segment, and a path that ends with / matches all paths below it.
Without --endpoint the partner may read everything that its scopes allow. With
it, only resource servers that enforce endpoints accept the partner's tokens.`,
		Example: `  grantd partner grant hurdlr h5D8B5gyHtk= --scope "customers cards"
  grantd partner grant hurdlr h5D8B5gyHtk= --scope cards --until 2027-01-01T00:00:00Z \
    --endpoint "GET /cards" --endpoint "GET /cards/{id}"`,
		Args: operands("ID", "ORG"),
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&spec.Scope, "scope", "", "`SCOPES` to grant, separated by spaces (required)")
	flags.StringArrayVar(&spec.Endpoints, "endpoint", nil, "`ENDPOINT` to grant, such as \"GET /cards\"; may be repeated (default: all)")
	flags.StringVar(&until, "until", "", "`TIME` at which the grant ends, such as 2027-01-01T00:00:00Z (default: never)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "scope"); err != nil {
			return err
		}
		if _, err := scopes.ParseEndpoints(spec.Endpoints); err != nil {
			return misuse(c, "--endpoint: %s", err)
		}
		if c.Flags().Changed("until") {
			if _, err := time.Parse(time.RFC3339, until); err != nil {
				return misuse(c, "--until must be a time in RFC 3339 format, such as 2027-01-01T00:00:00Z")
			}
			spec.Until = &until
		}
		response, err := a.callAPI(c, call{method: http.MethodPut, path: path(pathPartners, args[0], pathGrants, args[1]), body: spec})
		if err != nil {
			return err
		}
		return show(a, response, func(v partners.GrantView) { a.pairs(grantPairs(v)) })
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
	return a.final(&cobra.Command{
		Use: "revoke ID ORG", Short: "Withdraw the grant of an org and end the tokens made under it",
		Example: `  grantd partner revoke hurdlr h5D8B5gyHtk=`,
		Args:    operands("ID", "ORG"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := a.callAPI(c, call{method: http.MethodDelete, path: path(pathPartners, args[0], pathGrants, args[1])}); err != nil {
				return err
			}
			return a.printDone("revoked", args[1], "partner %s can no longer act for org %s, and its tokens for this org are void", text(args[0]), text(args[1]))
		},
	}, says("the grant that partner %s has from org %s, with its scopes and endpoints, and the tokens made under it end; to grant it again, give its scopes and endpoints again"))
}

func (a *app) partnerOrgsCommand() *cobra.Command {
	return a.grantsCommand("orgs ID", "List the grants that a partner has, by org", "  grantd partner orgs hurdlr", pathPartners, pathGrants,
		"ORG_ID", func(v partners.GrantView) string { return v.OrgID })
}

func (a *app) orgPartnersCommand() *cobra.Command {
	return a.grantsCommand("partners ID", "List the grants that an org made, by partner", "  grantd org partners h5D8B5gyHtk=", pathOrgs, pathPartners,
		"PARTNER_ID", func(v partners.GrantView) string { return v.PartnerID })
}

// grantsCommand lists the grants of one partner or org. In the admin API they
// are below the path of that one record, under the name of the other kind.
func (a *app) grantsCommand(use, short, example, one, others, head string, id func(partners.GrantView) string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: operands("ID"), Example: example,
		RunE: func(c *cobra.Command, args []string) error {
			server, err := a.connect(c)
			if err != nil {
				return err
			}
			response, err := server.collectPages(c.Context(), call{path: path(one, args[0], others)}, others, everything)
			if err != nil {
				return err
			}
			return show(a, response, func(lists map[string][]partners.GrantView) {
				var rows [][]string
				for _, v := range lists[others] {
					rows = append(rows, []string{text(id(v)), text(v.State), stamp(v.Until), text(v.Scope), list(v.Endpoints)})
				}
				a.grid([]string{head, "STATE", "UNTIL", "SCOPE", "ENDPOINTS"}, rows)
			})
		},
	}
}
