package store

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Kind is one kind of record that is changed by compare-and-set on its version
// and listed by id. It says how a store names, encodes and decodes the record.
// The store decides where to keep it.
type Kind[R any] struct {
	Name  string // in errors, in texts for people, and in actions (client.create)
	Title string // in the names of operations (GetClient)
	// Principal returns the key that names a record in the feed.
	Principal func(id string) string

	identify func(*R) (id string, version *uint64)
	head     func(*R) *Head // nil: the records have none
}

// The kinds.
var (
	ClientKind = Kind[Client]{
		"client", "Client", PrincipalClient, func(c *Client) (string, *uint64) { return c.ID, &c.Version },
		func(c *Client) *Head { return &c.Head },
	}
	OrgKind = Kind[Org]{
		"org", "Org", PrincipalOrg, func(o *Org) (string, *uint64) { return o.ID, &o.Version },
		func(o *Org) *Head { return &o.Head },
	}
	CustomerKind = Kind[Customer]{
		"customer", "Customer", PrincipalCustomer, func(c *Customer) (string, *uint64) { return c.ID, &c.Version },
		func(c *Customer) *Head { return &c.Head },
	}
	PartnerKind = Kind[Partner]{
		"partner", "Partner", PrincipalPartner, func(p *Partner) (string, *uint64) { return p.ID, &p.Version },
		func(p *Partner) *Head { return &p.Head },
	}
	PartnerTokenKind = Kind[PartnerTokenOwner]{
		"partner token", "PartnerToken", PrincipalPartnerToken, func(o *PartnerTokenOwner) (string, *uint64) { return o.ID, &o.Version }, nil,
	}
	APIKeyKind = Kind[APIKey]{
		"key", "APIKey", PrincipalKey, func(k *APIKey) (string, *uint64) { return k.ID, &k.Version },
		func(k *APIKey) *Head { return &k.Head },
	}
	GrantKind = Kind[Grant]{
		"grant", "Grant", PrincipalGrant, func(g *Grant) (string, *uint64) { return g.ID(), &g.Version },
		func(g *Grant) *Head { return &g.Head },
	}
	HoldKind = Kind[Hold]{
		"hold", "Hold", PrincipalHold, func(h *Hold) (string, *uint64) { return h.ID, &h.Version },
		func(h *Hold) *Head { return &h.Head },
	}
	SigningKeysKind = Kind[SigningKeys]{
		"signing_key", "SigningKey", PrincipalSigningKeys, func(k *SigningKeys) (string, *uint64) { return k.ID, &k.Version },
		func(k *SigningKeys) *Head { return &k.Head },
	}
	NoticeQueueKind = Kind[NoticeQueue]{
		"notice queue", "NoticeQueue", PrincipalNotices, func(q *NoticeQueue) (string, *uint64) { return q.ID, &q.Version }, nil,
	}
)

// Head returns the head of the record; nil if records of this kind have none.
func (k Kind[R]) Head(r *R) *Head {
	if k.head == nil {
		return nil
	}
	return k.head(r)
}

// Encoded is a record in the form to be stored.
type Encoded struct {
	ID       string
	Group    string // that the record belongs to; "": none
	Replaces uint64 // the version that it replaces; 0: the record is new
	Version  uint64
	Form     []byte
}

// ID returns the record's id.
func (k Kind[R]) ID(r *R) string {
	id, _ := k.identify(r)
	return id
}

// EncodeNew returns the stored form of a new record. Its version is that of r,
// or 1.
func (k Kind[R]) EncodeNew(r R) (Encoded, error) {
	id, version := k.identify(&r)
	*version = max(*version, 1)
	form, err := k.Marshal(r)
	return Encoded{ID: id, Group: k.Group(&r), Version: *version, Form: form}, err
}

// EncodeNext returns the stored form of a record that replaces the one with the
// version of r. It has the version after that.
func (k Kind[R]) EncodeNext(r R) (Encoded, error) {
	id, version := k.identify(&r)
	was := *version
	*version++
	form, err := k.Marshal(r)
	return Encoded{ID: id, Group: k.Group(&r), Replaces: was, Version: *version, Form: form}, err
}

// EncodeRestored returns the stored form of a record that replaces the one with
// the given version (0: none), with the version of r.
func (k Kind[R]) EncodeRestored(r R, replaces uint64) (Encoded, error) {
	id, version := k.identify(&r)
	form, err := k.Marshal(r)
	return Encoded{ID: id, Group: k.Group(&r), Replaces: replaces, Version: *version, Form: form}, err
}

// VersionOf returns the record's version.
func (k Kind[R]) VersionOf(r *R) uint64 {
	_, version := k.identify(r)
	return *version
}

// SetVersion sets the record's version.
func (k Kind[R]) SetVersion(r *R, v uint64) {
	_, version := k.identify(r)
	*version = v
}

// Version returns the version in a stored form. Errors: ErrUnknownRecord.
func (k Kind[R]) Version(form []byte) (uint64, error) {
	r, err := k.Unmarshal(form)
	if err != nil {
		return 0, err
	}
	_, version := k.identify(&r)
	return *version, nil
}

// formHead begins every stored form: the version of the form comes before the
// members of the record.
var formHead = fmt.Appendf(nil, `{"v":%d,`, jsonVersion)

// Marshal returns the stored form of r.
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

// Bounds returns the ids that bound the page: its ids are greater than after,
// and less than below unless that is "".
func (p Page) Bounds() (after, below string) {
	if p.Owner == "" {
		return p.After, ""
	}
	return max(p.After, p.Owner+"/"), p.Owner + "0" // the character after '/'
}
