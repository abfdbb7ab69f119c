package store

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Kind is one kind of record that is changed by compare-and-set on its
// version and listed by id: how a store names, writes and reads it. Where it
// lies is the store's own affair.
type Kind[R any] struct {
	Name  string // in errors, in what is said to people, and in actions: client.create
	Title string // in the names of operations
	// Principal returns the key that names a record in the feed.
	Principal func(id string) string

	identify func(*R) (id string, version *uint64)
}

// The kinds.
var (
	ClientKind = Kind[Client]{
		"client", "Client", PrincipalClient, func(c *Client) (string, *uint64) { return c.ID, &c.Version },
	}
	OrgKind = Kind[Org]{
		"org", "Org", PrincipalOrg, func(o *Org) (string, *uint64) { return o.ID, &o.Version },
	}
	CustomerKind = Kind[Customer]{
		"customer", "Customer", PrincipalCustomer, func(c *Customer) (string, *uint64) { return c.ID, &c.Version },
	}
	PartnerKind = Kind[Partner]{
		"partner", "Partner", PrincipalPartner, func(p *Partner) (string, *uint64) { return p.ID, &p.Version },
	}
	PartnerTokenKind = Kind[PartnerTokenOwner]{
		"partner token", "PartnerToken", PrincipalPartnerToken, func(o *PartnerTokenOwner) (string, *uint64) { return o.ID, &o.Version },
	}
	GrantKind = Kind[Grant]{
		"grant", "Grant", PrincipalGrant, func(g *Grant) (string, *uint64) { return g.ID(), &g.Version },
	}
)

// Encoded is a record as it is to be stored.
type Encoded struct {
	ID       string
	Replaces uint64 // the version that it replaces; 0: it is new
	Version  uint64
	Form     []byte
}

// ID answers the record's id.
func (k Kind[R]) ID(r *R) string {
	id, _ := k.identify(r)
	return id
}

// First is the stored form of a new record: of the version it has, or 1.
func (k Kind[R]) EncodeNew(r R) (Encoded, error) {
	id, version := k.identify(&r)
	*version = max(*version, 1)
	form, err := k.Marshal(r)
	return Encoded{ID: id, Version: *version, Form: form}, err
}

// Next is the stored form of a record that replaces the one of its version:
// of the version after that.
func (k Kind[R]) EncodeNext(r R) (Encoded, error) {
	id, version := k.identify(&r)
	was := *version
	*version++
	form, err := k.Marshal(r)
	return Encoded{ID: id, Replaces: was, Version: *version, Form: form}, err
}

// Version reads the version from a stored form. Errors: ErrUnknownRecord.
func (k Kind[R]) Version(form []byte) (uint64, error) {
	r, err := k.Unmarshal(form)
	if err != nil {
		return 0, err
	}
	_, version := k.identify(&r)
	return *version, nil
}

// formHead begins every stored form: the version of the form, before the
// record's own members.
var formHead = fmt.Appendf(nil, `{"v":%d,`, jsonVersion)

// Marshal answers the stored form of r.
func (k Kind[R]) Marshal(r R) ([]byte, error) {
	form, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("%s record: %w", k.Name, err)
	}
	return append(bytes.Clone(formHead), form[1:]...), nil
}

// Unmarshal reads what Marshal wrote. Errors: ErrUnknownRecord.
func (k Kind[R]) Unmarshal(form []byte) (R, error) {
	var r R
	err := error(nil)
	if !bytes.HasPrefix(form, formHead) {
		var other struct {
			V int `json:"v"`
		}
		err = unmarshal(form, &other, &other.V)
	}
	if err == nil {
		version := jsonVersion
		err = unmarshal(form, &r, &version)
	}
	if err != nil {
		return *new(R), fmt.Errorf("%s record: %w", k.Name, err)
	}
	return r, nil
}

// Bounds answers the ids between which those of the page are; below is "" if
// there is no upper one.
func (p Page) Bounds() (after, below string) {
	if p.Owner == "" {
		return p.After, ""
	}
	return max(p.After, p.Owner+"/"), p.Owner + "0" // the character after '/'
}
