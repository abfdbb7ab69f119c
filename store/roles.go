package store

import (
	"context"
	"time"
)

// Records keeps the records of one kind. The id of a record that another record
// owns begins with the owner's id and a '/'.
type Records[R any] interface {
	// Create writes a new record with the Version that r has, or 1. The
	// caller gives each record a different first version, so that a change of
	// a deleted record never applies to its successor with the same id.
	// Errors: ErrExists.
	Create(ctx context.Context, r R) error
	// Get returns the record. Errors: ErrNotFound, ErrUnknownRecord.
	Get(ctx context.Context, id string) (R, error)
	// Update replaces the record in one atomic step if the stored Version is
	// that of r, and stores the next version. Errors: ErrNotFound, ErrConflict.
	Update(ctx context.Context, r R) error
	// Restore writes r, with the Version that it has, in place of the stored
	// record with the version replaces, in one atomic step; 0: in place of none.
	// It is for a store that lost changes. Errors: ErrNotFound, ErrConflict, and
	// ErrExists if replaces is 0 and there is a record.
	Restore(ctx context.Context, r R, replaces uint64) error
	// Delete removes the record, and the uses of what it holds, if the stored
	// Version is version. Errors: ErrNotFound, ErrConflict.
	Delete(ctx context.Context, id string, version uint64) error
	// List returns the records of the page, in byte order of their ids. Fewer
	// than its limit means the end. A page of a group is read from an index of
	// groups. While IndexGroups has not completed that, all records after
	// Page.After are read instead. A record that is created or deleted meanwhile
	// may be in the page or not; an entry of the index without its record is
	// skipped.
	List(ctx context.Context, p Page) ([]R, error)
}

// Page is a part of a list.
type Page struct {
	Owner string // only records that the record with this id owns; "": all
	Group string // only records of this group (Kind.Group), with an Owner of ""; "": all
	After string // only records with a greater id than this whole id
	Limit int    // the greatest number of records
}

// The roles of the kinds of records.
type (
	Clients           = Records[Client] // with their secrets inside
	Orgs              = Records[Org]
	Customers         = Records[Customer]
	Partners          = Records[Partner] // with their tokens inside
	PartnerTokens     = Records[PartnerTokenOwner]
	APIKeys           = Records[APIKey]
	Grants            = Records[Grant]
	Holds             = Records[Hold]        // at most one record
	NoticeQueues      = Records[NoticeQueue] // at most one record
	SigningKeyRecords = Records[SigningKeys] // at most one record
)

// Tokens keeps access-token records under the digest of the token.
type Tokens interface {
	// PutToken stores the record until its ExpiresAt; after that it is not
	// found. It makes one write in one round trip. Errors: ErrExpired when
	// ExpiresAt is not in the future (no record lives forever).
	PutToken(ctx context.Context, d Digest, t Token) error
	// GetToken returns the record, even if it is a tombstone (Revoked not nil).
	// It makes one read in one round trip. Errors: ErrNotFound,
	// ErrUnknownRecord.
	GetToken(ctx context.Context, d Digest) (Token, error)
	// GetKeptToken is GetToken, and also returns a record that has expired, at least
	// until TokenKept after its end.
	GetKeptToken(ctx context.Context, d Digest) (Token, error)
	// ReplaceToken overwrites a stored record to turn it into a tombstone. The
	// record keeps its ExpiresAt. Errors: ErrNotFound if there is none, or if
	// it has expired.
	ReplaceToken(ctx context.Context, d Digest, t Token) error
}

// Feed is the one ordered log of voids, revocations and record changes.
// Positions only grow and are never used twice, not even across restarts. The
// newest entry is never trimmed.
type Feed interface {
	// AppendFeed appends the entries in order, and returns the position of the
	// last one. Their Position fields are ignored. Entries older than
	// FeedRetention may be trimmed.
	AppendFeed(ctx context.Context, entries ...Entry) (Position, error)
	// ReadFeed returns the entries after the given position, oldest first, at
	// most FeedPage of them. If there are none, it waits for one for at most
	// wait, and then returns none. It reads where writes go (the master).
	// Errors: ErrFeedLost when after is neither zero nor the position of an
	// entry that is still there, or when the feed belongs to another
	// incarnation than FeedLineage last returned.
	ReadFeed(ctx context.Context, after Position, wait time.Duration) ([]Entry, error)
	// FeedLineage returns the incarnation of the store that holds the feed now,
	// and the one that a replica of grantd last witnessed ("" at first).
	FeedLineage(ctx context.Context) (Lineage, error)
	// WitnessFeed records that the feed of this incarnation is complete.
	WitnessFeed(ctx context.Context, lineage string) error
	// AdvanceFeed makes all positions of entries that this process appends later
	// greater than p.
	AdvanceFeed(ctx context.Context, p Position) error
}

// Challenges keeps verifications until their codes are used. Each method is one
// atomic step on one key. They fail with ErrUnavailable rather than be Unconfirmed
// (see Store): a failover must not make a used code valid again.
type Challenges interface {
	// PutChallenge keeps the challenge until its ExpiresAt; after that it is
	// not found. The challenge survives a restart. Errors: ErrExpired.
	PutChallenge(ctx context.Context, d Digest, c Challenge) error
	// TryChallenge compares the proof with that of the challenge in constant
	// time. If it is right, the challenge is removed: of several callers at the
	// same time, one gets nil. If it is wrong, it uses up a try, and the last
	// try removes the challenge.
	// Errors: ErrNotFound (unknown, expired, used or out of tries), ErrWrong.
	TryChallenge(ctx context.Context, d Digest, proof Digest) error
	// DropChallenge removes the challenge. It is not an error if there is none.
	DropChallenge(ctx context.Context, d Digest) error
}

// GuessCounts counts wrong codes by customer. Counts survive restarts. They are
// separate from the customer's record and remain when it is deleted.
type GuessCounts interface {
	// TakeGuess counts a guess as wrong before it is checked, in one atomic
	// step. If one of the bounds is reached, it counts nothing and taken is
	// false. It returns the counts.
	TakeGuess(ctx context.Context, customerID string, b GuessBounds) (g Guesses, taken bool, err error)
	// ReturnGuess takes back a guess that was right (which also ends the row of
	// wrong ones) or was not made after all. g is what TakeGuess returned for
	// it. Today goes down only in the window that the guess was counted in.
	ReturnGuess(ctx context.Context, customerID string, g Guesses, right bool) error
	// GetGuesses returns the counts, or zero if there are none.
	GetGuesses(ctx context.Context, customerID string, window time.Duration) (Guesses, error)
	// ResetGuesses sets the counts to zero.
	ResetGuesses(ctx context.Context, customerID string) error
}

// Uses keeps when, from where and how often each credential was used: the
// secrets of clients, the tokens of partners and API keys.
type Uses interface {
	// AddUses adds the counts and keeps the latest time and address. Uses of
	// owners that are gone may be dropped.
	AddUses(ctx context.Context, uses []Use) error
	// ListUses returns the uses of one owner's credentials by their ids. A
	// credential that was never used is absent.
	ListUses(ctx context.Context, owner string) (map[string]Use, error)
	// ListUsesOf returns the uses of the credentials of several owners, in no
	// order, in one round trip (on a Cluster, one to each node).
	ListUsesOf(ctx context.Context, owners ...string) ([]Use, error)
	// AddNetworks keeps that the client has authenticated from the networks,
	// which are opaque strings without spaces, in one atomic step. It keeps the
	// MaxNetworks that were added last, as long as the client's record. Networks
	// of a client that is gone may be dropped.
	AddNetworks(ctx context.Context, clientID string, networks ...string) error
	// ListNetworks returns what AddNetworks keeps, the last one added last.
	ListNetworks(ctx context.Context, clientID string) ([]string, error)
}

// MaxNetworks is how many networks of a client are kept.
const MaxNetworks = 64

// Limits keeps the counters of limits, for all replicas. Counters need not
// survive a restart of the store.
type Limits interface {
	// AddHits adds to the counters, each in one atomic step, all in one round
	// trip (on a Cluster, one to each node). It returns the counts in the order
	// of the hits. A counter starts at 0 again when its Window has passed since
	// its first hit.
	AddHits(ctx context.Context, hits ...Hit) ([]Count, error)
	// ResetHits sets the counters with the keys to 0, each in one atomic step. A
	// hit at the same time is counted before or after that.
	ResetHits(ctx context.Context, keys ...string) error
}

// Audit keeps the audit: append-only, in two streams. The oldest events of a
// stream are dropped by age, and when it has more than the greatest number of
// events that the store was opened with. Neither stream affects the other.
type Audit interface {
	// AppendAudit appends the events in order, each to the stream that its
	// Traffic says. It is one atomic step for each stream. The ID fields are
	// ignored.
	AppendAudit(ctx context.Context, events ...AuditEvent) error
	// ListAudit returns up to limit events of both streams, newest first, older
	// than the one with the id before ("" starts at the newest), whether that is
	// still there or not. Fewer than limit means the end. For what is not an id
	// it returns no events.
	ListAudit(ctx context.Context, before string, limit int) ([]AuditEvent, error)
}

// Identity keeps what ties the store to one deployment.
type Identity interface {
	// Stamp writes s in one atomic step if the store has no stamp yet, and
	// otherwise compares it with the stamp. If the stamp has an older format, it
	// gets that of s: an older program does not open the store any more.
	// Errors: ErrForeign, ErrNewerFormat.
	Stamp(ctx context.Context, s Stamp) error
	// EnsureTokenKey stores candidate in one atomic step if the store has no
	// TokenKey yet, and returns all keys.
	EnsureTokenKey(ctx context.Context, candidate TokenKey) ([]TokenKey, error)
	// ReadStamp returns the stamp. Errors: ErrNotFound.
	ReadStamp(ctx context.Context) (Stamp, error)
	// Restamp replaces the stamp from by the stamp to, in one atomic step. If
	// from is the zero Stamp, the store must have none. Errors: ErrConflict.
	Restamp(ctx context.Context, from, to Stamp) error
}

// Store is all roles together.
type Store interface {
	Clients() Clients
	Orgs() Orgs
	Customers() Customers
	Partners() Partners
	PartnerTokens() PartnerTokens
	APIKeys() APIKeys
	Grants() Grants
	Holds() Holds
	NoticeQueues() NoticeQueues
	SigningKeys() SigningKeyRecords
	Tokens
	Feed
	Challenges
	GuessCounts
	Uses
	Limits
	Audit
	Identity
	Copies
	// IndexGroups adds to the index of groups the records that it lacks, page by
	// page, and then marks it as complete. A process that serves calls it at each
	// start: older versions of grantd write records and no index. What one of them
	// creates on a shared store after the last pass is not in a page of its group
	// until the next pass, so the last process that is upgraded finds it.
	IndexGroups(ctx context.Context) (added int, err error)
	// Ping returns nil if the store can be reached and written to.
	Ping(ctx context.Context) error
	// Shared reports whether other processes may write to the store too.
	Shared() bool
	// Unconfirmed reports whether a change that this process made is in force,
	// but only on one machine, although it should be on several: a failover now
	// could lose it. The store goes on until the others have it.
	Unconfirmed() bool
	// Close releases connections and files. Calls after it return
	// ErrUnavailable.
	Close() error
}
