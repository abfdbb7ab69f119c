package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// members are the members of an introspection that the guard reads (RFC 7662 §2.2).
// Types are strict: a member of another type makes the response useless.
type members struct {
	active                                                                 *bool
	scope, client, sub, iss, jti, use, org, customer, authorized, partner string
	tokenType                                                              *string
	exp, iat, authTime                                                     int64
	aud, cnf                                                               json.RawMessage
	act                                                                    *struct {
		Sub string `json:"sub"`
	}
	sourceIPs, endpoints, amr, voidKeys []string
	resources                           []struct {
		Type string   `json:"type"`
		IDs  []string `json:"ids"`
	}
	position string
}

var (
	errNotJSON  = errors.New("the response is not one JSON object")
	errRepeated = errors.New("the response has a member twice")
)

// target returns where the value of a member belongs; nil: the guard does not read
// it. Names are compared exactly: encoding/json would read "ACTIVE" as active.
func (m *members) target(name string) any {
	switch name {
	case "active":
		return &m.active
	case "scope":
		return &m.scope
	case "client_id":
		return &m.client
	case "token_type":
		return &m.tokenType
	case "exp":
		return &m.exp
	case "iat":
		return &m.iat
	case "sub":
		return &m.sub
	case "aud":
		return &m.aud
	case "iss":
		return &m.iss
	case "jti":
		return &m.jti
	case "token_use":
		return &m.use
	case "org_id":
		return &m.org
	}
	return m.more(name)
}

// more is target for members that only some tokens have.
func (m *members) more(name string) any {
	switch name {
	case "customer_id":
		return &m.customer
	case "authorized_user_id":
		return &m.authorized
	case "partner_id":
		return &m.partner
	case "act":
		return &m.act
	case "cnf":
		return &m.cnf
	case "source_ips":
		return &m.sourceIPs
	case "endpoints":
		return &m.endpoints
	case "resources":
		return &m.resources
	case "auth_time":
		return &m.authTime
	case "amr":
		return &m.amr
	case nameVoidKeys:
		return &m.voidKeys
	case namePosition:
		return &m.position
	}
	return nil
}

// Members that only caches need.
const (
	nameVoidKeys = "void_keys"
	namePosition = "feed_position"
)

// read reads the members of one object, each of which it has at most once. It
// returns the object without what only caches need.
func (m *members) read(body []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotJSON
	}
	var seen []string
	out := append(make([]byte, 0, len(body)), '{')
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errNotJSON
		}
		if slices.Contains(seen, name) {
			return nil, errRepeated
		}
		if seen = append(seen, name); len(seen) > maxMembers {
			return nil, errLists
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errNotJSON
		}
		if to := m.target(name); to != nil && json.Unmarshal(value, to) != nil {
			return nil, typeError(name)
		}
		if name != nameVoidKeys && name != namePosition {
			out = appendMember(out, name, value)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errNotJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	return slices.Clip(append(out, '}')), nil
}

// maxMembers bounds the comparison of names.
const maxMembers = 128

func appendMember(b []byte, name string, value []byte) []byte {
	if len(b) > 1 {
		b = append(b, ',')
	}
	quoted, _ := json.Marshal(name) // a string has no error
	return append(append(append(b, quoted...), ':'), value...)
}

// typeError holds nothing of the response but the name of a member: it may be logged.
func typeError(name string) error {
	return fmt.Errorf("the response has a member %s of the wrong type", name)
}
