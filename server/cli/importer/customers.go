package importer

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/store"
)

// Customers is the format of customers: JSON with the members of the admin API.
func Customers() Kind[customers.ImportLine] {
	return Kind[customers.ImportLine]{
		Noun: "customer", Key: "customer_id",
		ID: func(c customers.ImportLine) string { return c.CustomerID },
		Parse: func(line []byte) (customers.ImportLine, []string, error) {
			c, err := parseCustomer(line)
			return c, nil, err
		},
	}
}

// parseCustomer reads one line of an import strictly: only known members with
// exact names, each at most once, and nothing after the object. The server
// checks the values. No error contains a value: it may be a telephone number.
func parseCustomer(line []byte) (customers.ImportLine, error) {
	var c customers.ImportLine
	if err := checkLine(line); err != nil {
		return c, err
	}
	var kind string
	var users []json.RawMessage
	err := readObject(line, map[string]any{
		"customer_id": &c.CustomerID, "org_id": &c.OrgID, "type": &kind, "phone": &c.Phone, "authorized_users": &users, "language": &c.Language,
	}, "customer_id", "org_id", "type", "phone")
	if err != nil {
		return c, err
	}
	c.Type = store.CustomerType(kind)
	c.AuthorizedUsers = make([]customers.AuthorizedUser, len(users))
	for i, u := range users {
		to := &c.AuthorizedUsers[i]
		err := readObject(u, map[string]any{"id": &to.ID, "name": &to.Name, "phone": &to.Phone}, "name", "phone")
		if errors.Is(err, errNoObject) {
			err = errors.New("must be an object with name and phone (authorized_users)")
		}
		if err != nil {
			return c, fmt.Errorf("authorized user %d: %w", i+1, err)
		}
	}
	return c, nil
}
