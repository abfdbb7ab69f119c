package cli

import (
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/phone"
)

// customerListCommand lists customers, or finds some by what the list of the admin API
// cannot select.
func (a *app) customerListCommand() *cobra.Command {
	var find customers.Search
	c := customerResource().list(a, "List all customers, those of one org, by phone, or those who get no codes now", orgFilter(&find.OrgID))
	c.Long = `Lists all customers, or those that the flags select.

--phone and --locked read every customer's record: the numbers are encrypted, so
there is no index of them. Over TCP, --phone needs a token with admin:write. With
--locked the exit code is 3 if any is listed.`
	c.Example = `  grantd customer list --org h5D8B5gyHtk=
  grantd customer list --phone +15555550136   # of the customer, or of an authorized user
  grantd customer list --locked               # wrong codes, limits or a mute refuse codes now`
	c.Flags().StringVar(&find.OrgID, "org", "", "list only the customers of the org with this `ID`")
	c.Flags().StringVar(&find.Phone, "phone", "", "list only customers with this telephone `NUMBER` on file")
	c.Flags().BoolVar(&find.Locked, "locked", false, "list only customers who get no codes now")
	all := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if !find.Locked && !c.Flags().Changed("phone") {
			return all(c, args)
		}
		for _, name := range []string{"org", "phone"} {
			if c.Flags().Changed(name) {
				if err := required(c, name); err != nil {
					return err
				}
			}
		}
		if c.Flags().Changed("phone") {
			if _, err := phone.Parse(find.Phone); err != nil {
				return misuse(c, "--phone %s", err)
			}
		}
		return a.findCustomers(c, find)
	}
	return c
}

// findCustomers prints the customers that the search finds.
func (a *app) findCustomers(c *cobra.Command, find customers.Search) error {
	server, err := a.connect(c)
	if err != nil {
		return err
	}
	all := customers.Found{Customers: []customers.Shown{}}
	for {
		response, err := server.do(c.Context(), call{method: http.MethodPost, path: path(pathCustomers, "search"), body: find, idempotent: true})
		if err != nil {
			return err
		}
		found, err := decode[customers.Found](response)
		if err != nil {
			return err
		}
		all.Customers = append(all.Customers, found.Customers...)
		all.Unreadable += found.Unreadable
		if found.NextCursor == "" {
			break
		}
		find.Cursor = found.NextCursor
	}
	if all.Unreadable > 0 {
		a.say("warning: %d customers have a number that cannot be read, because its key is missing: they were not compared", all.Unreadable)
	}
	if err := a.printFound(all); err != nil {
		return err
	}
	if find.Locked && len(all.Customers) > 0 {
		return errFound
	}
	return nil
}

func (a *app) printFound(all customers.Found) error {
	if a.output == outputJSON {
		return a.printJSON(all)
	}
	kind := customerResource()
	rows := make([][]string, len(all.Customers))
	for i, v := range all.Customers {
		rows[i] = append(kind.row(v.View), blockCells(v)...)
	}
	a.grid(append(slices.Clone(kind.heads), "BLOCKED_BY", "BLOCKED_UNTIL"), rows)
	return nil
}

// blockCells returns what refuses the customer's codes, and until when.
func blockCells(v customers.Shown) []string {
	if v.BlockedBy == nil {
		return []string{absent, absent}
	}
	if v.CodesBlockedUntil == nil {
		return []string{text(*v.BlockedBy), "until reset"}
	}
	return []string{text(*v.BlockedBy), stamp(v.CodesBlockedUntil)}
}
