package cli

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/customers"
)

// pathCustomers is where customers are in the admin API.
const pathCustomers = "customers"

func (a *app) customerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "customer",
		Short: "Manage the customers of orgs",
		Long: `A customer is a person or a business that an org serves. The org's clients ask
for tokens that can touch this one customer only; for what is sensitive, the
customer is sent a code by telephone.

Telephone numbers are shown masked, everywhere.`,
	}
	kind := customerRecords()
	c.AddCommand(
		a.customerPutCommand(), a.customerImportCommand(), a.customerListCommand(), kind.show(a, "Show a customer"),
		kind.delete(a, "End all tokens of a customer and delete it"),
		kind.action(a, "deactivate", "Refuse a customer and end all its tokens, for good", "is deactivated, and its tokens are void"),
		kind.action(a, "reactivate", "Let a deactivated customer have tokens again", "is active again; its old tokens stay void"),
		kind.action(a, "void-tokens", "End all tokens of a customer at once", "has no valid tokens any more"),
		kind.action(a, "reset-codes", "Forget a customer's wrong codes, and unlock it", "is unlocked, and its wrong codes are forgotten"),
	)
	return a.connectFlags(c)
}

func (a *app) customerListCommand() *cobra.Command {
	var org string
	c := customerRecords().list(a, "List all customers, or those of an org", func(c *cobra.Command) (url.Values, error) {
		if !c.Flags().Changed("org") {
			return nil, nil
		}
		return url.Values{"org_id": {org}}, required(c, "org")
	})
	c.Flags().StringVar(&org, "org", "", "only those of the org with this `ID`")
	return c
}

func customerRecords() records[customers.View, customers.Shown] {
	return records[customers.View, customers.Shown]{
		noun:  "customer",
		path:  pathCustomers,
		heads: []string{"CUSTOMER_ID", "ORG_ID", "STATE", "TYPE", "PHONE", "LANGUAGE", "CREATED_AT", "AUTHORIZED_USERS"},
		row: func(v customers.View) []string {
			return []string{
				text(v.CustomerID), text(v.OrgID), state(v.Active), text(v.Type), text(v.Phone), text(v.Language), stamp(&v.CreatedAt), people(v.AuthorizedUsers),
			}
		},
		pairs: shownPairs,
	}
}

// shownPairs is a customer with what became of its codes.
func shownPairs(v customers.Shown) []pair {
	return append(customerPairs(v.View),
		pair{"wrong_codes_today", number(int64(v.WrongCodesToday))},
		pair{"wrong_codes_in_row", number(int64(v.WrongCodesInRow))},
		pair{"codes_locked", strconv.FormatBool(v.CodesLocked)},
	)
}

func customerPairs(v customers.View) []pair {
	return []pair{
		{"customer_id", text(v.CustomerID)},
		{"org_id", text(v.OrgID)},
		{"state", state(v.Active)},
		{"type", text(v.Type)},
		{"phone", text(v.Phone)},
		{"authorized_users", people(v.AuthorizedUsers)},
		{"phones_changed_at", stamp(&v.PhonesChangedAt)},
		{"language", text(v.Language)},
		{"created_at", stamp(&v.CreatedAt)},
		{"updated_at", stamp(&v.UpdatedAt)},
		{"deactivated_at", stamp(v.DeactivatedAt)},
	}
}

// people is a cell of persons with their masked numbers.
func people(users []customers.AuthorizedUser) string {
	cells := make([]string, len(users))
	for i, u := range users {
		cells[i] = text(u.Name) + " " + text(u.Phone)
	}
	return list(cells)
}
