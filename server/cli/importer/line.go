package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/store"
)

var errNoObject = errors.New("must be one JSON object on one line")

// parseCustomer reads one line of an import strictly: only known members with
// exact names, each at most once, and nothing after the object. The server
// checks the values. No error contains a value: it may be a telephone number.
func parseCustomer(line []byte) (customers.ImportLine, error) {
	var c customers.ImportLine
	if !utf8.Valid(line) { // the decoder would replace the bytes by U+FFFD
		return c, errors.New("must be UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(line, &whole); err != nil {
		return c, fmt.Errorf("%w: %w", errNoObject, err) // contains at most one character of the line
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
		err := readObject(u, map[string]any{"name": &to.Name, "phone": &to.Phone}, "name", "phone")
		if errors.Is(err, errNoObject) {
			err = errors.New("must be an object with name and phone (authorized_users)")
		}
		if err != nil {
			return c, fmt.Errorf("authorized user %d: %w", i+1, err)
		}
	}
	return c, nil
}

// readObject reads a JSON object into the variables of its members. null counts
// as absent; members that are needed must be present and not empty.
func readObject(valid []byte, members map[string]any, needed ...string) error {
	d := json.NewDecoder(bytes.NewReader(valid))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errNoObject
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, _ := t.(string)
		if err != nil {
			return errNoObject
		}
		to, known := members[name]
		if !known {
			return unknownMember(name)
		}
		if seen[name] {
			return fmt.Errorf("is repeated (%s)", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errNoObject
		}
		if json.Unmarshal(value, to) != nil {
			if _, list := to.(*[]json.RawMessage); list {
				return fmt.Errorf("must be a list (%s)", name)
			}
			return fmt.Errorf("must be a string (%s)", name)
		}
	}
	for _, name := range needed {
		if *members[name].(*string) == "" {
			return fmt.Errorf("is missing (%s)", name)
		}
	}
	return nil
}

// unknownMember names the member, unless its name may be a value that was put
// in the wrong place.
func unknownMember(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz_"
	if name == "" || len(name) > 40 || strings.Trim(strings.ToLower(name), letters) != "" {
		return errors.New("has an unknown member")
	}
	return fmt.Errorf("has an unknown member (%s)", name)
}
