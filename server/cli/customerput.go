package cli

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/phone"
)

func (a *app) customerPutCommand() *cobra.Command {
	var spec customers.Spec
	var users []string
	c := &cobra.Command{
		Use:   "put ID",
		Short: "Create or update a customer",
		Long: `Creates the customer ID, or replaces it by what the flags say: an authorized user
that is not given is removed, and if they had an id, all tokens of the customer end.
Repeating the command changes nothing. The org of a customer cannot be changed.

When a telephone number changes, codes that were sent before become invalid.`,
		Example: `  grantd customer put 10001 --org h5D8B5gyHtk= --type individual --phone +15555550136

  # a business with two authorized users
  grantd customer put 10002 --org h5D8B5gyHtk= --type business --phone +15555550137 \
    --authorized-user "Jane Doe +15555550199" --authorized-user "Juan Pérez +15555550198 id=21"`,
		Args: operands("ID"),
	}
	flags := c.Flags()
	flags.SortFlags = false // keep the order below
	flags.StringVar(&spec.OrgID, "org", "", "`ID` of the org it belongs to; cannot be changed later (required)")
	flags.StringVar((*string)(&spec.Type), "type", "", "`TYPE`: individual or business (required)")
	flags.StringVar(&spec.Phone, "phone", "", "telephone `NUMBER` with its country code, such as +15555550136 (required)")
	flags.StringArrayVar(&users, "authorized-user", nil, "`PERSON` who may act for a business, as a name, a number and, if tokens are to name them, id=ID; may be repeated")
	flags.StringVar(&spec.Language, "language", "", "`LANGUAGE` of messages, unless a request sets another, such as en, es or pt-BR (default: en)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := required(c, "org", "type", "phone"); err != nil {
			return err
		}
		if _, err := phone.Parse(spec.Phone); err != nil {
			return misuse(c, "--phone %s", err)
		}
		spec.AuthorizedUsers = []customers.AuthorizedUser{}
		for _, u := range users {
			user, ok := parsePerson(u)
			if !ok {
				return misuse(c, `--authorized-user must be a name and a telephone number with its country code, such as "Jane Doe +15555550199" or "Jane Doe +15555550199 id=20"`)
			}
			spec.AuthorizedUsers = append(spec.AuthorizedUsers, user)
		}
		response, err := a.callAPI(c, call{method: http.MethodPut, path: path(pathCustomers, args[0]), body: spec})
		if err != nil {
			return err
		}
		return show(a, response, func(v customers.View) { a.pairs(customerPairs(v)) })
	}
	return c
}

// personID is what the id of an authorized user begins with.
const personID = "id="

// parsePerson splits "NAME +NUMBER" and "NAME +NUMBER id=ID". The number starts at the
// last word that starts with +, so it may contain spaces.
func parsePerson(s string) (customers.AuthorizedUser, bool) {
	words := strings.Fields(s)
	id := ""
	if last := len(words) - 1; last >= 0 && strings.HasPrefix(words[last], personID) {
		id, words = strings.TrimPrefix(words[last], personID), words[:last]
		if !field.ValidID(id) {
			return customers.AuthorizedUser{}, false
		}
	}
	for i := len(words) - 1; i > 0; i-- {
		if strings.HasPrefix(words[i], "+") {
			u := customers.AuthorizedUser{ID: id, Name: strings.Join(words[:i], " "), Phone: strings.Join(words[i:], " ")}
			_, err := phone.Parse(u.Phone)
			return u, err == nil
		}
	}
	return customers.AuthorizedUser{}, false
}
