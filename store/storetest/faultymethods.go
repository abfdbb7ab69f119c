package storetest

import (
	"context"
	"time"

	"github.com/grantd/grantd/store"
)

// The methods of Faulty: each is the wrapped store's, through its faults.

func (f *Faulty) CreateClient(ctx context.Context, c store.Client) error {
	return f.do(ctx, "CreateClient", func() error { return f.Store.CreateClient(ctx, c) })
}

func (f *Faulty) GetClient(ctx context.Context, id string) (store.Client, error) {
	return through(ctx, f, "GetClient", func() (store.Client, error) { return f.Store.GetClient(ctx, id) })
}

func (f *Faulty) UpdateClient(ctx context.Context, c store.Client) error {
	return f.do(ctx, "UpdateClient", func() error { return f.Store.UpdateClient(ctx, c) })
}

func (f *Faulty) DeleteClient(ctx context.Context, id string, version uint64) error {
	return f.do(ctx, "DeleteClient", func() error { return f.Store.DeleteClient(ctx, id, version) })
}

func (f *Faulty) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	return through(ctx, f, "ListClients", func() ([]store.Client, error) { return f.Store.ListClients(ctx, after, limit) })
}

func (f *Faulty) PutToken(ctx context.Context, d store.Digest, t store.Token) error {
	return f.do(ctx, "PutToken", func() error { return f.Store.PutToken(ctx, d, t) })
}

func (f *Faulty) GetToken(ctx context.Context, d store.Digest) (store.Token, error) {
	return through(ctx, f, "GetToken", func() (store.Token, error) { return f.Store.GetToken(ctx, d) })
}

func (f *Faulty) ReplaceToken(ctx context.Context, d store.Digest, t store.Token) error {
	return f.do(ctx, "ReplaceToken", func() error { return f.Store.ReplaceToken(ctx, d, t) })
}

func (f *Faulty) AppendFeed(ctx context.Context, entries ...store.Entry) (store.Position, error) {
	return through(ctx, f, "AppendFeed", func() (store.Position, error) { return f.Store.AppendFeed(ctx, entries...) })
}

func (f *Faulty) ReadFeed(ctx context.Context, after store.Position, wait time.Duration) ([]store.Entry, error) {
	return through(ctx, f, "ReadFeed", func() ([]store.Entry, error) { return f.Store.ReadFeed(ctx, after, wait) })
}

func (f *Faulty) FeedLineage(ctx context.Context) (store.Lineage, error) {
	return through(ctx, f, "FeedLineage", func() (store.Lineage, error) { return f.Store.FeedLineage(ctx) })
}

func (f *Faulty) WitnessFeed(ctx context.Context, lineage string) error {
	return f.do(ctx, "WitnessFeed", func() error { return f.Store.WitnessFeed(ctx, lineage) })
}

func (f *Faulty) AddSecretUses(ctx context.Context, uses []store.SecretUse) error {
	return f.do(ctx, "AddSecretUses", func() error { return f.Store.AddSecretUses(ctx, uses) })
}

func (f *Faulty) ListSecretUses(ctx context.Context, clientID string) (map[string]store.SecretUse, error) {
	return through(ctx, f, "ListSecretUses", func() (map[string]store.SecretUse, error) {
		return f.Store.ListSecretUses(ctx, clientID)
	})
}

func (f *Faulty) AppendAudit(ctx context.Context, events ...store.AuditEvent) error {
	return f.do(ctx, "AppendAudit", func() error { return f.Store.AppendAudit(ctx, events...) })
}

func (f *Faulty) ListAudit(ctx context.Context, before string, limit int) ([]store.AuditEvent, error) {
	return through(ctx, f, "ListAudit", func() ([]store.AuditEvent, error) { return f.Store.ListAudit(ctx, before, limit) })
}

func (f *Faulty) Stamp(ctx context.Context, s store.Stamp) error {
	return f.do(ctx, "Stamp", func() error { return f.Store.Stamp(ctx, s) })
}

func (f *Faulty) EnsureTokenKey(ctx context.Context, candidate store.TokenKey) ([]store.TokenKey, error) {
	return through(ctx, f, "EnsureTokenKey", func() ([]store.TokenKey, error) {
		return f.Store.EnsureTokenKey(ctx, candidate)
	})
}

func (f *Faulty) Ping(ctx context.Context) error {
	return f.do(ctx, "Ping", func() error { return f.Store.Ping(ctx) })
}

// Close has no context; a held one waits for its release.
func (f *Faulty) Close() error {
	return f.do(context.Background(), "Close", f.Store.Close)
}

func (f *Faulty) AddHits(ctx context.Context, hits ...store.Hit) ([]store.Count, error) {
	return through(ctx, f, "AddHits", func() ([]store.Count, error) { return f.Store.AddHits(ctx, hits...) })
}

func (f *Faulty) CreateOrg(ctx context.Context, o store.Org) error {
	return f.do(ctx, "CreateOrg", func() error { return f.Store.CreateOrg(ctx, o) })
}

func (f *Faulty) GetOrg(ctx context.Context, id string) (store.Org, error) {
	return through(ctx, f, "GetOrg", func() (store.Org, error) { return f.Store.GetOrg(ctx, id) })
}

func (f *Faulty) UpdateOrg(ctx context.Context, o store.Org) error {
	return f.do(ctx, "UpdateOrg", func() error { return f.Store.UpdateOrg(ctx, o) })
}

func (f *Faulty) DeleteOrg(ctx context.Context, id string, version uint64) error {
	return f.do(ctx, "DeleteOrg", func() error { return f.Store.DeleteOrg(ctx, id, version) })
}

func (f *Faulty) ListOrgs(ctx context.Context, after string, limit int) ([]store.Org, error) {
	return through(ctx, f, "ListOrgs", func() ([]store.Org, error) { return f.Store.ListOrgs(ctx, after, limit) })
}

func (f *Faulty) CreateCustomer(ctx context.Context, c store.Customer) error {
	return f.do(ctx, "CreateCustomer", func() error { return f.Store.CreateCustomer(ctx, c) })
}

func (f *Faulty) GetCustomer(ctx context.Context, id string) (store.Customer, error) {
	return through(ctx, f, "GetCustomer", func() (store.Customer, error) { return f.Store.GetCustomer(ctx, id) })
}

func (f *Faulty) UpdateCustomer(ctx context.Context, c store.Customer) error {
	return f.do(ctx, "UpdateCustomer", func() error { return f.Store.UpdateCustomer(ctx, c) })
}

func (f *Faulty) DeleteCustomer(ctx context.Context, id string, version uint64) error {
	return f.do(ctx, "DeleteCustomer", func() error { return f.Store.DeleteCustomer(ctx, id, version) })
}

func (f *Faulty) ListCustomers(ctx context.Context, after string, limit int) ([]store.Customer, error) {
	return through(ctx, f, "ListCustomers", func() ([]store.Customer, error) { return f.Store.ListCustomers(ctx, after, limit) })
}

func (f *Faulty) PutChallenge(ctx context.Context, d store.Digest, c store.Challenge) error {
	return f.do(ctx, "PutChallenge", func() error { return f.Store.PutChallenge(ctx, d, c) })
}

func (f *Faulty) TryChallenge(ctx context.Context, d, proof store.Digest) error {
	return f.do(ctx, "TryChallenge", func() error { return f.Store.TryChallenge(ctx, d, proof) })
}

func (f *Faulty) DropChallenge(ctx context.Context, d store.Digest) error {
	return f.do(ctx, "DropChallenge", func() error { return f.Store.DropChallenge(ctx, d) })
}

func (f *Faulty) TakeGuess(ctx context.Context, customerID string, b store.GuessBounds) (store.Guesses, bool, error) {
	var taken bool
	g, err := through(ctx, f, "TakeGuess", func() (g store.Guesses, err error) {
		g, taken, err = f.Store.TakeGuess(ctx, customerID, b)
		return g, err
	})
	return g, taken && err == nil, err
}

func (f *Faulty) ReturnGuess(ctx context.Context, customerID string, g store.Guesses, right bool) error {
	return f.do(ctx, "ReturnGuess", func() error { return f.Store.ReturnGuess(ctx, customerID, g, right) })
}

func (f *Faulty) GetGuesses(ctx context.Context, customerID string, window time.Duration) (store.Guesses, error) {
	return through(ctx, f, "GetGuesses", func() (store.Guesses, error) { return f.Store.GetGuesses(ctx, customerID, window) })
}

func (f *Faulty) ResetGuesses(ctx context.Context, customerID string) error {
	return f.do(ctx, "ResetGuesses", func() error { return f.Store.ResetGuesses(ctx, customerID) })
}
