package metrics

import (
	"context"
	"time"

	"github.com/grantd/grantd/store"
)

// The operations on orgs, on customers and on their verifications.

func (s *Store) CreateOrg(ctx context.Context, o store.Org) error {
	return do(s, "CreateOrg", func() error { return s.Store.CreateOrg(ctx, o) })
}

func (s *Store) GetOrg(ctx context.Context, id string) (store.Org, error) {
	return get(s, "GetOrg", func() (store.Org, error) { return s.Store.GetOrg(ctx, id) })
}

func (s *Store) UpdateOrg(ctx context.Context, o store.Org) error {
	return do(s, "UpdateOrg", func() error { return s.Store.UpdateOrg(ctx, o) })
}

func (s *Store) DeleteOrg(ctx context.Context, id string, version uint64) error {
	return do(s, "DeleteOrg", func() error { return s.Store.DeleteOrg(ctx, id, version) })
}

func (s *Store) ListOrgs(ctx context.Context, after string, limit int) ([]store.Org, error) {
	return get(s, "ListOrgs", func() ([]store.Org, error) { return s.Store.ListOrgs(ctx, after, limit) })
}

func (s *Store) CreateCustomer(ctx context.Context, c store.Customer) error {
	return do(s, "CreateCustomer", func() error { return s.Store.CreateCustomer(ctx, c) })
}

func (s *Store) GetCustomer(ctx context.Context, id string) (store.Customer, error) {
	return get(s, "GetCustomer", func() (store.Customer, error) { return s.Store.GetCustomer(ctx, id) })
}

func (s *Store) UpdateCustomer(ctx context.Context, c store.Customer) error {
	return do(s, "UpdateCustomer", func() error { return s.Store.UpdateCustomer(ctx, c) })
}

func (s *Store) DeleteCustomer(ctx context.Context, id string, version uint64) error {
	return do(s, "DeleteCustomer", func() error { return s.Store.DeleteCustomer(ctx, id, version) })
}

func (s *Store) ListCustomers(ctx context.Context, after string, limit int) ([]store.Customer, error) {
	return get(s, "ListCustomers", func() ([]store.Customer, error) { return s.Store.ListCustomers(ctx, after, limit) })
}

func (s *Store) PutChallenge(ctx context.Context, d store.Digest, c store.Challenge) error {
	return do(s, "PutChallenge", func() error { return s.Store.PutChallenge(ctx, d, c) })
}

func (s *Store) TryChallenge(ctx context.Context, d, proof store.Digest) error {
	return do(s, "TryChallenge", func() error { return s.Store.TryChallenge(ctx, d, proof) })
}

func (s *Store) DropChallenge(ctx context.Context, d store.Digest) error {
	return do(s, "DropChallenge", func() error { return s.Store.DropChallenge(ctx, d) })
}

func (s *Store) TakeGuess(ctx context.Context, customerID string, b store.GuessBounds) (store.Guesses, bool, error) {
	var taken bool
	g, err := get(s, "TakeGuess", func() (g store.Guesses, err error) {
		g, taken, err = s.Store.TakeGuess(ctx, customerID, b)
		return g, err
	})
	return g, taken, err
}

func (s *Store) ReturnGuess(ctx context.Context, customerID string, g store.Guesses, right bool) error {
	return do(s, "ReturnGuess", func() error { return s.Store.ReturnGuess(ctx, customerID, g, right) })
}

func (s *Store) GetGuesses(ctx context.Context, customerID string, window time.Duration) (store.Guesses, error) {
	return get(s, "GetGuesses", func() (store.Guesses, error) { return s.Store.GetGuesses(ctx, customerID, window) })
}

func (s *Store) ResetGuesses(ctx context.Context, customerID string) error {
	return do(s, "ResetGuesses", func() error { return s.Store.ResetGuesses(ctx, customerID) })
}
