package store

import (
	"slices"
	"time"
)

// HoldID is the id of the only Hold.
const HoldID = "store"

// Hold says which records are held back: the store came back older than it was,
// and nobody knows what has ended since. A record that falls under the hold is
// not used until an operator releases it, or all of its kind.
type Hold struct {
	ID     string `json:"id"`     // HoldID
	Number uint64 `json:"number"` // grows with each hold; see Head.Confirmed
	// Incarnation is that of the store which came back; see Lineage.
	Incarnation string    `json:"incarnation"`
	Cause       HoldCause `json:"cause"`
	Since       time.Time `json:"since"`
	// LastKnown is when the newest entry of the feed that came back was written:
	// what was changed after that may be lost. The zero time: nobody knows.
	LastKnown time.Time `json:"last_known,omitzero"`
	Released  []string  `json:"released,omitempty"` // names of the kinds (Kind.Name)
	Head
}

// HoldCause says why there is a hold.
type HoldCause string

// The causes.
const (
	// Unwitnessed: the store restarted, failed over or was restored while no
	// grantd was watching.
	Unwitnessed HoldCause = "unwitnessed"
	// BeyondMemory: the store came back from before what a running grantd
	// remembers (FeedRetention).
	BeyondMemory HoldCause = "beyond_memory"
)

// HeldKinds are the names of the kinds that a hold covers.
func HeldKinds() []string {
	return []string{ClientKind.Name, OrgKind.Name, CustomerKind.Name, PartnerKind.Name, APIKeyKind.Name, GrantKind.Name}
}

// Left returns the names of the kinds that are still held back. h may be nil.
func (h *Hold) Left() []string {
	if h == nil {
		return nil
	}
	return slices.DeleteFunc(HeldKinds(), func(kind string) bool { return slices.Contains(h.Released, kind) })
}

// Covers reports whether the record with the head falls under the hold. kind is
// the Kind.Name of the record. h may be nil.
func (h *Hold) Covers(kind string, head *Head) bool {
	return h != nil && head.Confirmed < h.Number && !slices.Contains(h.Released, kind)
}

// Mark says in the head whether the record falls under the hold.
func (h *Hold) Mark(kind string, head *Head) { head.UnderHold = h.Covers(kind, head) }
