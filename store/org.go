package store

import "time"

// Org is a tenant. Clients and customers belong to one.
type Org struct {
	ID   string `json:"id"`
	Name string `json:"name"` // as customers read it in messages
	// Incarnation distinguishes the org from earlier ones with the same id; 0:
	// a grantd that did not count incarnations wrote it.
	Incarnation uint64 `json:"incarnation,omitempty"`
	// KeyEpoch counts how often all API keys of the org were ended, the last time
	// at KeysEndedAt by the actor KeysEndedBy. A key of an earlier epoch has ended.
	KeyEpoch    uint64     `json:"key_epoch,omitempty"`
	KeysEndedAt *time.Time `json:"keys_ended_at,omitempty"`
	KeysEndedBy string     `json:"keys_ended_by,omitempty"`
	Head
}

// EndKeys ends all API keys of the org for good.
func (o *Org) EndKeys(by string, now time.Time) {
	o.KeyEpoch++
	o.KeysEndedAt, o.KeysEndedBy = &now, by
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
