package storetest

import (
	"context"
	"time"

	"github.com/grantd/grantd/store"
)

// The methods of Faulty: each is the wrapped store's, through its faults.

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

func (f *Faulty) AddUses(ctx context.Context, uses []store.Use) error {
	return f.do(ctx, "AddUses", func() error { return f.Store.AddUses(ctx, uses) })
}

func (f *Faulty) ListUses(ctx context.Context, owner string) (map[string]store.Use, error) {
	return through(ctx, f, "ListUses", func() (map[string]store.Use, error) { return f.Store.ListUses(ctx, owner) })
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
