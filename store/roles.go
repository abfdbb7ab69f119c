package store

import (
	"context"
	"time"
)

// Records keeps the records of one kind. The id of a record that belongs to
// another begins with that one's id and a '/'.
type Records[R any] interface {
	// Create writes a new record with the Version that r has, or 1. The
	// caller gives each record another first one, so that a change of a
	// deleted record never fits its successor of the same id.
	// Errors: ErrExists.
	Create(ctx context.Context, r R) error
	// Get answers the record. Errors: ErrNotFound, ErrUnknownRecord.
	Get(ctx context.Context, id string) (R, error)
	// Update replaces the record in one atomic step if the stored Version is
	// that of r, and stores the next one. Errors: ErrNotFound, ErrConflict.
	Update(ctx context.Context, r R) error
	// Delete removes the record, and the uses of what it holds, if the stored
	// Version is version. Errors: ErrNotFound, ErrConflict.
	Delete(ctx context.Context, id string, version uint64) error
	// List answers the records of the page, in byte order of their ids. Fewer
	// than its limit means the end.
	List(ctx context.Context, p Page) ([]R, error)
}

// Page is a part of a list.
type Page struct {
	Owner string // only records that belong to the one with this id; "": all
	After string // only those with a greater id, which is a whole one
	Limit int    // at most so many
}

// The kinds of records there are.
type (
	Clients       = Records[Client] // with their secrets inside
	Orgs          = Records[Org]
	Customers     = Records[Customer]
	Partners      = Records[Partner] // with their tokens inside
	PartnerTokens = Records[PartnerTokenOwner]
	Grants        = Records[Grant]
)

// Tokens keeps access-token records under the digest of the token.
type Tokens interface {
	// PutToken stores the record until its ExpiresAt; after that it is not
	// found. One write, one round trip. Errors: ErrExpired when ExpiresAt is
	// not in the future (a record never lives for ever).
	PutToken(ctx context.Context, d Digest, t Token) error
	// GetToken answers the record, tombstones (Revoked not nil) included.
	// One read, one round trip. Errors: ErrNotFound, ErrUnknownRecord.
	GetToken(ctx context.Context, d Digest) (Token, error)
	// ReplaceToken overwrites a stored record, to turn it into a tombstone,
	// keeping its end. Errors: ErrNotFound when there is none (any more).
	ReplaceToken(ctx context.Context, d Digest, t Token) error
}

// Feed is the one ordered log of voids, revocations and record changes
// (design §3). Positions only grow and are never used twice, across
// restarts too. The newest entry is never trimmed.
type Feed interface {
	// AppendFeed appends the entries in order, and answers the position of
	// the last. Their Position fields are ignored. Entries older than
	// FeedRetention may be trimmed.
	AppendFeed(ctx context.Context, entries ...Entry) (Position, error)
	// ReadFeed answers the entries after the given position, oldest first, at
	// most FeedPage of them. When there are none it waits up to wait for one,
	// then answers none; wait 0 does not wait. It reads where writes go
	// (the master). Errors: ErrFeedLost when after is neither zero nor the
	// position of an entry that is still there, or when the feed is of another
	// incarnation than FeedLineage last answered.
	ReadFeed(ctx context.Context, after Position, wait time.Duration) ([]Entry, error)
	// FeedLineage answers which incarnation of the store holds the feed now,
	// and the one that a replica of grantd last vouched for ("" at first).
	FeedLineage(ctx context.Context) (Lineage, error)
	// WitnessFeed records that the feed of this incarnation is whole.
	WitnessFeed(ctx context.Context, lineage string) error
}

// Challenges keeps verifications until their codes are used. Each method is
// one atomic step on one key, and is as safe from a failover as a revocation.
type Challenges interface {
	// PutChallenge keeps the challenge until its ExpiresAt; after that it is
	// not found. It outlives a restart. Errors: ErrExpired.
	PutChallenge(ctx context.Context, d Digest, c Challenge) error
	// TryChallenge compares the proof with that of the challenge in constant
	// time. If it is right, the challenge is gone: of those who try at the
	// same time one is answered nil. If it is wrong, a try is taken away, and
	// with the last one the challenge is gone.
	// Errors: ErrNotFound (unknown, expired, used or out of tries), ErrWrong.
	TryChallenge(ctx context.Context, d Digest, proof Digest) error
	// DropChallenge removes the challenge. One that is not there is no error.
	DropChallenge(ctx context.Context, d Digest) error
}

// GuessCounts counts wrong codes by customer. Counts outlive restarts, and are
// kept apart from the customer's record: they remain when it is deleted.
type GuessCounts interface {
	// TakeGuess counts a guess as wrong before anybody looks at it, in one
	// atomic step, unless one of the bounds is reached: then nothing is
	// counted, and taken is false. It answers where the counts stand.
	TakeGuess(ctx context.Context, customerID string, b GuessBounds) (g Guesses, taken bool, err error)
	// ReturnGuess takes back a guess, of which g is what TakeGuess answered:
	// one that was right (which also ends the row), or one that was none.
	// Today is only taken down in the window that the guess was counted in.
	ReturnGuess(ctx context.Context, customerID string, g Guesses, right bool) error
	// GetGuesses answers the counts; zero if there are none.
	GetGuesses(ctx context.Context, customerID string, window time.Duration) (Guesses, error)
	// ResetGuesses sets the counts to zero.
	ResetGuesses(ctx context.Context, customerID string) error
}

// Uses keeps when, from where and how often each credential was used: each
// secret of a client, and each token of a partner.
type Uses interface {
	// AddUses adds the counts and keeps the latest time and address. Uses of
	// clients and partners that are gone may be dropped.
	AddUses(ctx context.Context, uses []Use) error
	// ListUses answers the uses of one owner's credentials by their ids; one
	// that was never used is absent.
	ListUses(ctx context.Context, owner string) (map[string]Use, error)
}

// Limits counts what is limited, over all replicas. Counters need not outlive
// a restart of the store.
type Limits interface {
	// AddHits adds to the counters, each in one atomic step, all in one round
	// trip (on a Cluster one to each node), and answers where they stand, in
	// the order of the hits. A counter begins at 0 again when its Window has
	// passed since its first hit.
	AddHits(ctx context.Context, hits ...Hit) ([]Count, error)
}

// Audit keeps the audit stream: append-only, dropped by age.
type Audit interface {
	// AppendAudit appends the events in order. Their ID fields are ignored.
	AppendAudit(ctx context.Context, events ...AuditEvent) error
	// ListAudit answers up to limit events, newest first, older than the one
	// with the id before ("" means from the newest). Fewer than limit means
	// the end. An id that is not one of ours: no events.
	ListAudit(ctx context.Context, before string, limit int) ([]AuditEvent, error)
}

// Identity keeps what makes the store this deployment's own.
type Identity interface {
	// Stamp writes s if the store has no stamp yet, in one atomic step, and
	// otherwise compares. Errors: ErrForeign, ErrNewerFormat.
	Stamp(ctx context.Context, s Stamp) error
	// EnsureTokenKey stores candidate if the store has no key of the keyed
	// check yet, in one atomic step, and answers all keys.
	EnsureTokenKey(ctx context.Context, candidate TokenKey) ([]TokenKey, error)
}

// Store is every role together, as main wires it.
type Store interface {
	Clients() Clients
	Orgs() Orgs
	Customers() Customers
	Partners() Partners
	PartnerTokens() PartnerTokens
	Grants() Grants
	Tokens
	Feed
	Challenges
	GuessCounts
	Uses
	Limits
	Audit
	Identity
	// Ping answers nil if the store can be reached and written.
	Ping(ctx context.Context) error
	// Shared says whether other processes may write to the store too.
	Shared() bool
	// Close releases connections and files; calls after it answer
	// ErrUnavailable.
	Close() error
}
