package store

import (
	"context"
	"slices"
)

// Copies reads and writes a whole store, for backups and moves. The forms of
// items are the same in every store, so that what one store wrote can be loaded
// into another.
type Copies interface {
	// Dump returns items of the section after the cursor of the call before (""
	// at first), about limit of them or fewer, and the next cursor: "" after the
	// last items. What is there from the first call to the last is returned. What
	// changes meanwhile may or may not be. Items of the audit are in the order of
	// both its streams, oldest first; others are in no order. An item that cannot
	// be decoded is returned as it is. What has expired may be left out.
	Dump(ctx context.Context, s Section, cursor string, limit int) (items []Item, next string, err error)
	// Load writes the items as they are, and replaces those with the same keys.
	// Items of the audit are appended after those that are there, and none are
	// dropped for their age or number. What has expired may be left out, and so are
	// uses and networks of owners that have no record.
	// Errors: ErrUnknownRecord.
	Load(ctx context.Context, items ...Item) error
	// Clear removes everything that the store keeps. Positions of the feed are
	// still never used twice.
	Clear(ctx context.Context) error
	// Serving reports whether a process that serves requests has the store open,
	// or had it open a few seconds ago.
	Serving(ctx context.Context) (bool, error)
	// Inspect calls found for everything that is wrong with how the store keeps
	// its items. It does not decode them.
	Inspect(ctx context.Context, found func(Finding)) error
}

// Section is a part of what a store keeps.
type Section string

// The sections. Nothing in one belongs to a record of a later one.
const (
	SectionTokenKeys     Section = "token_keys"
	SectionSigningKeys   Section = "signing_keys"
	SectionOrgs          Section = "orgs"
	SectionClients       Section = "clients"
	SectionCustomers     Section = "customers"
	SectionPartners      Section = "partners"
	SectionPartnerTokens Section = "partner_tokens"
	SectionAPIKeys       Section = "api_keys"
	SectionGrants        Section = "grants"
	SectionUses          Section = "uses"
	SectionNetworks      Section = "networks"
	SectionGuesses       Section = "guesses"
	SectionChallenges    Section = "challenges"
	SectionTokens        Section = "tokens"
	// SectionAudit has the events of both streams: a Dump of it also returns
	// items of SectionAuditTraffic.
	SectionAudit        Section = "audit"
	SectionAuditTraffic Section = "audit_traffic"
)

var sections = []Section{
	SectionTokenKeys, SectionSigningKeys, SectionOrgs, SectionClients, SectionCustomers, SectionPartners, SectionPartnerTokens, SectionAPIKeys, SectionGrants,
	SectionUses, SectionNetworks, SectionGuesses, SectionChallenges, SectionTokens, SectionAudit,
}

// Sections returns the sections that Dump knows, in the order in which they are
// loaded.
func Sections() []Section { return slices.Clone(sections) }

// Item is one thing that a store keeps.
type Item struct {
	Section Section
	// Key is the id of a record, the digest of a token or challenge, the id of a
	// customer or a token key, the key of UseKey, or the position of an event in
	// the audit, whose time is when it was appended, in Unix milliseconds.
	Key  string
	Form []byte // see the functions Marshal… of this package
}

// Finding is something that is wrong with a stored item.
type Finding struct {
	Section Section `json:"section"`
	Key     string  `json:"key,omitempty"`
	Problem string  `json:"problem"`
}

// MergeAuditItems returns the items of the two streams, each oldest first, in the
// order of both, up to limit. Where one of the lists was cut (whole is false),
// nothing after its end is returned.
func MergeAuditItems(a, b []Item, wholeA, wholeB bool, limit int, position func(Item) Position) []Item {
	merged := make([]Item, 0, min(limit, len(a)+len(b)))
	for len(merged) < limit {
		switch {
		case len(a) == 0 && (!wholeA || len(b) == 0), len(b) == 0 && !wholeB:
			return merged
		case len(b) == 0 || len(a) > 0 && position(a[0]).Compare(position(b[0])) <= 0:
			merged, a = append(merged, a[0]), a[1:]
		default:
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return merged
}
