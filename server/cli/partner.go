package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/partners"
)

// pathPartners is the path of partners in the admin API.
const pathPartners = "partners"

func (a *app) partnerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "partner",
		Short: "Manage partners, which may read data of orgs that agree",
		Long: `A partner is another company. An org can grant it read-only scopes. The partner's
backend then exchanges its long-lived token for short-lived ones, each on behalf
of one org.`,
	}
	kind := partnerResource()
	c.AddCommand(
		a.partnerPutCommand(), kind.list(a, "List all partners", nil), kind.show(a, "Show a partner"),
		kind.delete(a, "Delete a partner with its grants and end all its tokens", partnerDeletion),
		a.partnerGrantCommand(), a.partnerRevokeCommand(), a.partnerOrgsCommand(), a.partnerTokenCommand(),
		a.final(kind.action(a, "deactivate", "Disable a partner until it is reactivated, and end all its tokens, long-lived ones too", "is deactivated and its tokens are void"), partnerVoiding),
		kind.action(a, "reactivate", "Enable a deactivated partner again", "is active again; its old tokens remain void"),
		a.final(kind.action(a, "void-tokens", "End all tokens of a partner at once, long-lived ones too", "has no valid tokens anymore"), partnerVoiding),
	)
	return a.connectFlags(c)
}

func partnerResource() resource[partners.View, partners.View] {
	return resource[partners.View, partners.View]{
		noun: "partner", path: pathPartners, example: "hurdlr",
		heads: []string{"PARTNER_ID", "STATE", "CREATED_AT", "NAME", "SCOPE"},
		row: func(v partners.View) []string {
			return []string{text(v.PartnerID), state(v.Active, v.HeldBack, v.DeactivatedAt), stamp(&v.CreatedAt), text(v.Name), text(v.Scope)}
		},
		pairs: partnerPairs,
	}
}

func partnerPairs(v partners.View) []pair {
	return []pair{
		{"partner_id", text(v.PartnerID)},
		{"name", text(v.Name)},
		{"scope", text(v.Scope)},
		{"state", state(v.Active, v.HeldBack, v.DeactivatedAt)},
		{"created_at", stamp(&v.CreatedAt)},
		{"updated_at", stamp(&v.UpdatedAt)},
		{"deactivated_at", stamp(v.DeactivatedAt)},
	}
}

func (a *app) partnerPutCommand() *cobra.Command {
	var spec partners.Spec
	c := &cobra.Command{
		Use:   "put ID",
		Short: "Create or update a partner",
		Long: `Creates the partner ID, or replaces it by what the flags say. Its scopes are the
ones that orgs may grant it, and must be read-only. Removing one ends the tokens
that the partner made on behalf of orgs. Repeating the command changes nothing.`,
		Example: `  grantd partner put hurdlr --name Hurdlr --scope "customers accounts cards transactions"`,
		Args:    operands("ID"),
	}
	c.Flags().StringVar(&spec.Name, "name", "", "`NAME` of the company (required)")
	c.Flags().StringVar(&spec.Scope, "scope", "", "`SCOPES` that orgs may grant it, separated by spaces (required)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "name", "scope"); err != nil {
			return err
		}
		response, err := a.callAPI(c, call{method: http.MethodPut, path: path(pathPartners, args[0]), body: spec})
		if err != nil {
			return err
		}
		return show(a, response, func(v partners.View) { a.pairs(partnerPairs(v)) })
	}
	return c
}

// partnerTokensOf returns how many long-lived tokens the partner has.
func partnerTokensOf(q *question) string {
	return q.count(call{path: path(pathPartners, q.args[0], pathPartnerTokens)}, pathPartnerTokens, "long-lived token")
}

// partnerDeletion says what the deletion of a partner ends.
func partnerDeletion(q *question) string {
	return "partner " + text(q.args[0]) + ", its " + partnerTokensOf(q) + ", its " +
		q.count(call{path: path(pathPartners, q.args[0], pathGrants)}, pathGrants, "grant") +
		" and every token made with them end; 'grantd partner deactivate' keeps the partner and its grants"
}

// partnerVoiding says what ends with the tokens of a partner.
func partnerVoiding(q *question) string {
	return "the " + partnerTokensOf(q) + " of partner " + text(q.args[0]) +
		" and every token made with them end; the partner needs a new one from 'grantd partner token create'"
}
