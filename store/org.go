package store

import "time"

// Org is a tenant. Clients and customers belong to one.
type Org struct {
	ID   string `json:"id"`
	Name string `json:"name"` // as customers read it in messages
	// Incarnation distinguishes the org from earlier ones with the same id; 0:
	// a grantd that did not count incarnations wrote it.
	Incarnation uint64 `json:"incarnation,omitempty"`
	Head
}

// madeWith is how much later than a client an older grantd may have made the
// client's org.
const madeWith = time.Minute

// Owns reports whether a record that was made for an org with this id belongs to
// this one, and not to a former org with the same id. incarnation is that of the
// org that the record was made for. A record without one was made by a grantd
// that did not count incarnations, or for an org that has none: it belongs to an
// org that was there when it was made.
func (o *Org) Owns(incarnation uint64, madeAt time.Time) bool {
	if incarnation != 0 {
		return incarnation == o.Incarnation
	}
	return !o.CreatedAt.After(madeAt.Add(madeWith))
}
