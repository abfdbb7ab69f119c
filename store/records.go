package store

// Records is one kind of record that is changed by compare-and-set on its
// version and listed by id: how a store names, writes and reads it. Where it
// lies is the store's own affair.
type Records[R any] struct {
	Name      string // in errors
	Unmarshal func([]byte) (R, error)

	marshal func(R) ([]byte, error)
	head    func(*R) (id string, version *uint64)
}

// The kinds.
var (
	ClientRecords = Records[Client]{
		"client", UnmarshalClient, MarshalClient,
		func(c *Client) (string, *uint64) { return c.ID, &c.Version },
	}
	OrgRecords = Records[Org]{
		"org", UnmarshalOrg, MarshalOrg,
		func(o *Org) (string, *uint64) { return o.ID, &o.Version },
	}
	CustomerRecords = Records[Customer]{
		"customer", UnmarshalCustomer, MarshalCustomer,
		func(c *Customer) (string, *uint64) { return c.ID, &c.Version },
	}
)

// Stored is a record as it is to be stored.
type Stored struct {
	ID      string
	Was     uint64 // the version that it replaces; 0: it is new
	Version uint64
	Form    []byte
}

// First is the stored form of a new record: of the version it has, or 1.
func (k Records[R]) First(r R) (Stored, error) {
	id, version := k.head(&r)
	*version = max(*version, 1)
	form, err := k.marshal(r)
	return Stored{ID: id, Version: *version, Form: form}, err
}

// Next is the stored form of a record that replaces the one of its version:
// of the version after that.
func (k Records[R]) Next(r R) (Stored, error) {
	id, version := k.head(&r)
	was := *version
	*version++
	form, err := k.marshal(r)
	return Stored{ID: id, Was: was, Version: *version, Form: form}, err
}

// Version reads the version from a stored form. Errors: ErrUnknownRecord.
func (k Records[R]) Version(form []byte) (uint64, error) {
	r, err := k.Unmarshal(form)
	if err != nil {
		return 0, err
	}
	_, version := k.head(&r)
	return *version, nil
}
