package store

// Org is a tenant. Clients and customers belong to one.
type Org struct {
	ID   string `json:"id"`
	Name string `json:"name"` // as customers read it in messages
	// Incarnation distinguishes the org from earlier ones with the same id; 0:
	// a grantd that did not count incarnations wrote it.
	Incarnation uint64 `json:"incarnation,omitempty"`
	Head
}
