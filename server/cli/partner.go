package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/partners"
)

// pathPartners is where partners are in the admin API.
const pathPartners = "partners"

func (a *app) partnerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "partner",
		Short: "Manage partners, which may read for orgs that agree",
		Long: `A partner is an outside company. An org that agrees grants it scopes, which only
read, and the partner's backend turns its long-lived token into short ones, each
on behalf of one of these orgs.`,
	}
	kind := partnerRecords()
	c.AddCommand(
		a.partnerPutCommand(), kind.list(a, "List all partners", nil), kind.show(a, "Show a partner"),
		kind.delete(a, "End all tokens of a partner and delete it with what orgs granted it"),
		a.partnerGrantCommand(), a.partnerRevokeCommand(), a.partnerOrgsCommand(), a.partnerTokenCommand(),
		kind.action(a, "deactivate", "Refuse a partner and end all its tokens, for good", "is deactivated, and its tokens are void"),
		kind.action(a, "reactivate", "Let a deactivated partner have tokens again", "is active again; its old tokens stay void"),
		kind.action(a, "void-tokens", "End all tokens of a partner at once, those that it holds too", "has no valid tokens any more"),
	)
	return a.connectFlags(c)
}

func partnerRecords() records[partners.View, partners.View] {
	return records[partners.View, partners.View]{
		noun:  "partner",
		path:  pathPartners,
		heads: []string{"PARTNER_ID", "STATE", "CREATED_AT", "NAME", "SCOPE"},
		row: func(v partners.View) []string {
			return []string{text(v.PartnerID), state(v.Active), stamp(&v.CreatedAt), text(v.Name), text(v.Scope)}
		},
		pairs: partnerPairs,
	}
}

func partnerPairs(v partners.View) []pair {
	return []pair{
		{"partner_id", text(v.PartnerID)},
		{"name", text(v.Name)},
		{"scope", text(v.Scope)},
		{"state", state(v.Active)},
		{"created_at", stamp(&v.CreatedAt)},
		{"updated_at", stamp(&v.UpdatedAt)},
		{"deactivated_at", stamp(v.DeactivatedAt)},
	}
}

func (a *app) partnerPutCommand() *cobra.Command {
	var spec partners.Spec
	c := &cobra.Command{
		Use:   "put ID",
		Short: "Make a partner, or change it",
		Long: `Makes the partner ID, or makes the one that there is what the flags say. Its
scopes are those that orgs may grant it: they only read. Taking one away ends the
tokens that it made on behalf of orgs. Put twice, it stays as it is.`,
		Example: `  grantd partner put hurdlr --name Hurdlr --scope "customers accounts cards transactions"`,
		Args:    operands("ID"),
	}
	c.Flags().StringVar(&spec.Name, "name", "", "`NAME` of the company (required)")
	c.Flags().StringVar(&spec.Scope, "scope", "", "`SCOPES` that orgs may grant it, separated by spaces (required)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "name", "scope"); err != nil {
			return err
		}
		answer, err := a.ask(c, call{method: http.MethodPut, path: path(pathPartners, args[0]), body: spec})
		if err != nil {
			return err
		}
		return show(a, answer, func(v partners.View) { a.pairs(partnerPairs(v)) })
	}
	return c
}
