package metrics

import (
	"context"
	"time"

	"github.com/grantd/grantd/store"
)

// The operations on the verifications of customers.

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
