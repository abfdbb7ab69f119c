package cli

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/customers"
)

// pathCustomers is the path of customers in the admin API.
const pathCustomers = "customers"

func (a *app) customerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "customer",
		Short: "Manage the customers of orgs",
		Long: `A customer is a person or a business that an org serves. The org's clients
request tokens that give access to this one customer. For sensitive scopes, the
customer is sent a code by telephone.

Telephone numbers are always masked in output.`,
	}
	kind := customerResource()
	c.AddCommand(
		a.customerPutCommand(), a.customerImportCommand(), a.customerReencryptCommand(), a.customerListCommand(), kind.show(a, "Show a customer"),
		kind.delete(a, "Delete a customer and end all its tokens",
			says("customer %s, their telephone numbers and authorized users, and all their tokens end; 'grantd customer deactivate' keeps the customer")),
		kind.action(a, "deactivate", "Disable a customer until it is reactivated, and end all its tokens", "is deactivated and its tokens are void"),
		kind.action(a, "reactivate", "Enable a deactivated customer again", "is active again; its old tokens remain void"),
		a.final(kind.action(a, "void-tokens", "End all tokens of a customer at once", "has no valid tokens anymore"),
			says("every token of customer %s ends; the customer has to sign in again, with a code if the scopes need one")),
		a.customerResetCommand(), a.customerMuteCommand(),
		kind.action(a, "unmute", "Send codes to a muted customer again", "gets codes again"),
	)
	return a.connectFlags(c)
}

// orgFilter selects the customers of one org.
func orgFilter(org *string) filter {
	return func(c *cobra.Command) (url.Values, error) {
		if !c.Flags().Changed("org") {
			return nil, nil
		}
		return url.Values{"org_id": {*org}}, required(c, "org")
	}
}

func customerResource() resource[customers.View, customers.Shown] {
	return resource[customers.View, customers.Shown]{
		noun: "customer", path: pathCustomers, example: "10001",
		heads: []string{"CUSTOMER_ID", "ORG_ID", "STATE", "TYPE", "PHONE", "LANGUAGE", "CREATED_AT", "AUTHORIZED_USERS"},
		row: func(v customers.View) []string {
			return []string{
				text(v.CustomerID), text(v.OrgID), state(v.Active, v.HeldBack, v.DeactivatedAt), text(v.Type), text(v.Phone), text(v.Language), stamp(&v.CreatedAt), people(v.AuthorizedUsers),
			}
		},
		pairs: shownPairs,
	}
}

// shownPairs returns a customer and what was counted of its codes.
func shownPairs(v customers.Shown) []pair {
	pairs := append(customerPairs(v.View),
		pair{"wrong_codes_today", number(int64(v.WrongCodesToday))},
		pair{"wrong_codes_in_row", number(int64(v.WrongCodesInRow))},
		pair{"codes_locked", strconv.FormatBool(v.CodesLocked)},
	)
	if v.CodesSent24h != nil {
		pairs = append(pairs, pair{"codes_sent_24h", number(*v.CodesSent24h)})
	}
	cells := blockCells(v)
	pairs = append(pairs, pair{"blocked_by", cells[0]}, pair{"codes_blocked_until", cells[1]})
	if v.PhonesUnreadable != "" {
		pairs = append(pairs, pair{"phones_unreadable", text(v.PhonesUnreadable)})
	}
	return pairs
}

func customerPairs(v customers.View) []pair {
	return []pair{
		{"customer_id", text(v.CustomerID)},
		{"org_id", text(v.OrgID)},
		{"state", state(v.Active, v.HeldBack, v.DeactivatedAt)},
		{"type", text(v.Type)},
		{"phone", text(v.Phone)},
		{"authorized_users", people(v.AuthorizedUsers)},
		{"phones_changed_at", stamp(&v.PhonesChangedAt)},
		{"language", text(v.Language)},
		{"muted_until", stamp(v.MutedUntil)},
		{"created_at", stamp(&v.CreatedAt)},
		{"updated_at", stamp(&v.UpdatedAt)},
		{"deactivated_at", stamp(v.DeactivatedAt)},
	}
}

// people returns a cell with names, masked numbers and ids.
func people(users []customers.AuthorizedUser) string {
	cells := make([]string, len(users))
	for i, u := range users {
		cells[i] = text(u.Name) + " " + text(u.Phone)
		if u.ID != "" {
			cells[i] += " " + personID + text(u.ID)
		}
	}
	return list(cells)
}
