package store

// Org is a tenant (contract §1). Clients and customers belong to one.
type Org struct {
	ID   string `json:"id"`
	Name string `json:"name"` // as customers read it in messages
	// Incarnation tells it from others that had its id before; 0: it is of a
	// grantd that did not count them.
	Incarnation uint64 `json:"incarnation,omitempty"`
	Head
}

// Clone answers a copy that shares nothing with o.
func (o Org) Clone() Org {
	o.Head = o.Head.clone()
	return o
}
