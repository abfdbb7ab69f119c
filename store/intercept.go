package store

import (
	"context"
	"slices"
	"time"
)

// Hook is called around the operations of an Intercepted store. S is what
// Before hands to After. An operation is named as in Operations.
type Hook[S any] interface {
	// Before is called before the operation reaches the store. If it returns
	// an error, the operation returns that error, does not reach the store, and
	// After is not called.
	Before(ctx context.Context, operation string) (S, error)
	// After is called with the error of the operation. It returns the error
	// that the caller gets.
	After(operation string, state S, err error) error
}

// Intercepted passes every operation to another store, with a hook around it.
// An operation that fails returns zero values beside the error.
type Intercepted[S any] struct {
	Store // for Shared and Unconfirmed, which are not operations
	hook  Hook[S]

	clients       interceptedRecords[Client, S]
	orgs          interceptedRecords[Org, S]
	customers     interceptedRecords[Customer, S]
	partners      interceptedRecords[Partner, S]
	partnerTokens interceptedRecords[PartnerTokenOwner, S]
	apiKeys       interceptedRecords[APIKey, S]
	grants        interceptedRecords[Grant, S]
	holds         interceptedRecords[Hold, S]
	noticeQueues  interceptedRecords[NoticeQueue, S]
	signingKeys   interceptedRecords[SigningKeys, S]
}

// Intercept returns s with the hook around its operations.
func Intercept[S any](s Store, hook Hook[S]) *Intercepted[S] {
	return &Intercepted[S]{
		Store:         s,
		hook:          hook,
		clients:       interceptRecords(s.Clients(), hook, ClientKind),
		orgs:          interceptRecords(s.Orgs(), hook, OrgKind),
		customers:     interceptRecords(s.Customers(), hook, CustomerKind),
		partners:      interceptRecords(s.Partners(), hook, PartnerKind),
		partnerTokens: interceptRecords(s.PartnerTokens(), hook, PartnerTokenKind),
		apiKeys:       interceptRecords(s.APIKeys(), hook, APIKeyKind),
		grants:        interceptRecords(s.Grants(), hook, GrantKind),
		holds:         interceptRecords(s.Holds(), hook, HoldKind),
		noticeQueues:  interceptRecords(s.NoticeQueues(), hook, NoticeQueueKind),
		signingKeys:   interceptRecords(s.SigningKeys(), hook, SigningKeysKind),
	}
}

// OpClose is the operation that has no context and ends the store.
const OpClose = "Close"

var operations = slices.Concat(
	[]string{
		"PutToken", "GetToken", "GetKeptToken", "ReplaceToken",
		"AppendFeed", "ReadFeed", "FeedLineage", "WitnessFeed", "AdvanceFeed",
		"PutChallenge", "TryChallenge", "DropChallenge",
		"TakeGuess", "ReturnGuess", "GetGuesses", "ResetGuesses",
		"AddUses", "ListUses", "ListUsesOf", "AddNetworks", "ListNetworks", "AddHits", "ResetHits", "AppendAudit", "ListAudit",
		"Stamp", "EnsureTokenKey", "ReadStamp", "Restamp", "IndexGroups", "Ping", OpClose,
		"Dump", "Load", "Clear", "Serving", "Inspect",
	},
	ClientKind.operations().all(), OrgKind.operations().all(), CustomerKind.operations().all(),
	PartnerKind.operations().all(), PartnerTokenKind.operations().all(), APIKeyKind.operations().all(), GrantKind.operations().all(), HoldKind.operations().all(), NoticeQueueKind.operations().all(),
	SigningKeysKind.operations().all(),
)

// Operations returns the names of everything that a store does: the methods
// of Store, and those of Records with the title of their kind (GetClient,
// ListClients).
func Operations() []string { return slices.Clone(operations) }

// interceptDo calls do with the hook around it.
func interceptDo[S any](ctx context.Context, hook Hook[S], operation string, do func() error) error {
	state, err := hook.Before(ctx, operation)
	if err != nil {
		return err
	}
	return hook.After(operation, state, do())
}

// interceptGet is interceptDo for an operation that returns a value.
func interceptGet[S, T any](ctx context.Context, hook Hook[S], operation string, get func() (T, error)) (T, error) {
	var none T
	state, err := hook.Before(ctx, operation)
	if err != nil {
		return none, err
	}
	v, err := get()
	if err = hook.After(operation, state, err); err != nil {
		return none, err
	}
	return v, nil
}

func (i *Intercepted[S]) PutToken(ctx context.Context, d Digest, t Token) error {
	return interceptDo(ctx, i.hook, "PutToken", func() error { return i.Store.PutToken(ctx, d, t) })
}

func (i *Intercepted[S]) GetToken(ctx context.Context, d Digest) (Token, error) {
	return interceptGet(ctx, i.hook, "GetToken", func() (Token, error) { return i.Store.GetToken(ctx, d) })
}

func (i *Intercepted[S]) GetKeptToken(ctx context.Context, d Digest) (Token, error) {
	return interceptGet(ctx, i.hook, "GetKeptToken", func() (Token, error) { return i.Store.GetKeptToken(ctx, d) })
}

func (i *Intercepted[S]) ReplaceToken(ctx context.Context, d Digest, t Token) error {
	return interceptDo(ctx, i.hook, "ReplaceToken", func() error { return i.Store.ReplaceToken(ctx, d, t) })
}

func (i *Intercepted[S]) AppendFeed(ctx context.Context, entries ...Entry) (Position, error) {
	return interceptGet(ctx, i.hook, "AppendFeed", func() (Position, error) { return i.Store.AppendFeed(ctx, entries...) })
}

func (i *Intercepted[S]) ReadFeed(ctx context.Context, after Position, wait time.Duration) ([]Entry, error) {
	return interceptGet(ctx, i.hook, "ReadFeed", func() ([]Entry, error) { return i.Store.ReadFeed(ctx, after, wait) })
}

func (i *Intercepted[S]) FeedLineage(ctx context.Context) (Lineage, error) {
	return interceptGet(ctx, i.hook, "FeedLineage", func() (Lineage, error) { return i.Store.FeedLineage(ctx) })
}

func (i *Intercepted[S]) WitnessFeed(ctx context.Context, lineage string) error {
	return interceptDo(ctx, i.hook, "WitnessFeed", func() error { return i.Store.WitnessFeed(ctx, lineage) })
}

func (i *Intercepted[S]) PutChallenge(ctx context.Context, d Digest, c Challenge) error {
	return interceptDo(ctx, i.hook, "PutChallenge", func() error { return i.Store.PutChallenge(ctx, d, c) })
}

func (i *Intercepted[S]) TryChallenge(ctx context.Context, d, proof Digest) error {
	return interceptDo(ctx, i.hook, "TryChallenge", func() error { return i.Store.TryChallenge(ctx, d, proof) })
}

func (i *Intercepted[S]) DropChallenge(ctx context.Context, d Digest) error {
	return interceptDo(ctx, i.hook, "DropChallenge", func() error { return i.Store.DropChallenge(ctx, d) })
}

func (i *Intercepted[S]) TakeGuess(ctx context.Context, customerID string, b GuessBounds) (g Guesses, taken bool, err error) {
	g, err = interceptGet(ctx, i.hook, "TakeGuess", func() (g Guesses, err error) {
		g, taken, err = i.Store.TakeGuess(ctx, customerID, b)
		return g, err
	})
	return g, taken && err == nil, err
}

func (i *Intercepted[S]) ReturnGuess(ctx context.Context, customerID string, g Guesses, right bool) error {
	return interceptDo(ctx, i.hook, "ReturnGuess", func() error { return i.Store.ReturnGuess(ctx, customerID, g, right) })
}

func (i *Intercepted[S]) GetGuesses(ctx context.Context, customerID string, window time.Duration) (Guesses, error) {
	return interceptGet(ctx, i.hook, "GetGuesses", func() (Guesses, error) { return i.Store.GetGuesses(ctx, customerID, window) })
}

func (i *Intercepted[S]) ResetGuesses(ctx context.Context, customerID string) error {
	return interceptDo(ctx, i.hook, "ResetGuesses", func() error { return i.Store.ResetGuesses(ctx, customerID) })
}

func (i *Intercepted[S]) AddUses(ctx context.Context, uses []Use) error {
	return interceptDo(ctx, i.hook, "AddUses", func() error { return i.Store.AddUses(ctx, uses) })
}

func (i *Intercepted[S]) ListUses(ctx context.Context, owner string) (map[string]Use, error) {
	return interceptGet(ctx, i.hook, "ListUses", func() (map[string]Use, error) { return i.Store.ListUses(ctx, owner) })
}

func (i *Intercepted[S]) ListUsesOf(ctx context.Context, owners ...string) ([]Use, error) {
	return interceptGet(ctx, i.hook, "ListUsesOf", func() ([]Use, error) { return i.Store.ListUsesOf(ctx, owners...) })
}

func (i *Intercepted[S]) AddNetworks(ctx context.Context, clientID string, networks ...string) error {
	return interceptDo(ctx, i.hook, "AddNetworks", func() error { return i.Store.AddNetworks(ctx, clientID, networks...) })
}

func (i *Intercepted[S]) ListNetworks(ctx context.Context, clientID string) ([]string, error) {
	return interceptGet(ctx, i.hook, "ListNetworks", func() ([]string, error) { return i.Store.ListNetworks(ctx, clientID) })
}

func (i *Intercepted[S]) AddHits(ctx context.Context, hits ...Hit) ([]Count, error) {
	return interceptGet(ctx, i.hook, "AddHits", func() ([]Count, error) { return i.Store.AddHits(ctx, hits...) })
}

func (i *Intercepted[S]) ResetHits(ctx context.Context, keys ...string) error {
	return interceptDo(ctx, i.hook, "ResetHits", func() error { return i.Store.ResetHits(ctx, keys...) })
}

func (i *Intercepted[S]) AppendAudit(ctx context.Context, events ...AuditEvent) error {
	return interceptDo(ctx, i.hook, "AppendAudit", func() error { return i.Store.AppendAudit(ctx, events...) })
}

func (i *Intercepted[S]) ListAudit(ctx context.Context, before string, limit int) ([]AuditEvent, error) {
	return interceptGet(ctx, i.hook, "ListAudit", func() ([]AuditEvent, error) { return i.Store.ListAudit(ctx, before, limit) })
}

func (i *Intercepted[S]) Stamp(ctx context.Context, s Stamp) error {
	return interceptDo(ctx, i.hook, "Stamp", func() error { return i.Store.Stamp(ctx, s) })
}

func (i *Intercepted[S]) EnsureTokenKey(ctx context.Context, candidate TokenKey) ([]TokenKey, error) {
	return interceptGet(ctx, i.hook, "EnsureTokenKey", func() ([]TokenKey, error) { return i.Store.EnsureTokenKey(ctx, candidate) })
}

func (i *Intercepted[S]) Ping(ctx context.Context) error {
	return interceptDo(ctx, i.hook, "Ping", func() error { return i.Store.Ping(ctx) })
}

func (i *Intercepted[S]) Close() error {
	return interceptDo(context.Background(), i.hook, OpClose, i.Store.Close)
}
