package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// guessRecord is the stored form of a customer's counts, version 1. A
// customer without counts has no record.
type guessRecord struct {
	V     int   `json:"v"`
	Today int   `json:"today,omitempty"`
	Since int64 `json:"since,omitempty"` // Unix milliseconds
	InRow int   `json:"in_row,omitempty"`
}

const guessVersion = 1

// TakeGuess counts a guess unless a bound is reached. Times are truncated to
// milliseconds. Errors: store.ErrUnknownRecord.
func (s *Store) TakeGuess(ctx context.Context, customerID string, b store.GuessBounds) (store.Guesses, bool, error) {
	var g store.Guesses
	var taken bool
	err := s.changeGuesses(ctx, "take guess", customerID, func(was store.Guesses, now time.Time) (store.Guesses, bool) {
		g = was.Current(now, b.Window)
		if taken = g.Today < b.Today && g.InRow < b.InRow; !taken {
			return g, false
		}
		if g.Today == 0 {
			g.Since = now.UTC().Truncate(time.Millisecond)
		}
		g.Today++
		g.InRow++
		return g, true
	})
	if err != nil {
		return store.Guesses{}, false, err
	}
	return g, taken, nil
}

// ReturnGuess takes back a guess. Errors: store.ErrUnknownRecord.
func (s *Store) ReturnGuess(ctx context.Context, customerID string, taken store.Guesses, right bool) error {
	return s.changeGuesses(ctx, "return guess", customerID, func(was store.Guesses, _ time.Time) (store.Guesses, bool) {
		g := was
		if g.Since.Equal(taken.Since) {
			g.Today = max(g.Today-1, 0)
		}
		g.InRow = max(g.InRow-1, 0)
		if right {
			g.InRow = 0
		}
		return g, g != was
	})
}

// GetGuesses returns the counts. Errors: store.ErrUnknownRecord.
func (s *Store) GetGuesses(ctx context.Context, customerID string, window time.Duration) (store.Guesses, error) {
	var g store.Guesses
	err := s.view(ctx, "get guesses", func(tx *bbolt.Tx) error {
		var err error
		g, err = guessesOf(tx, customerID)
		return err
	})
	return g.Current(s.now(), window), err
}

// ResetGuesses removes the counts, even if they cannot be read.
func (s *Store) ResetGuesses(ctx context.Context, customerID string) error {
	return s.write(ctx, "reset guesses", func(b *batch) error {
		if guesses(b.tx).Get([]byte(customerID)) == nil {
			return errUnchanged
		}
		return guesses(b.tx).Delete([]byte(customerID))
	})
}

// changeGuesses replaces the counts by what change returns, in one step. If
// change returns false, the counts stay.
func (s *Store) changeGuesses(ctx context.Context, operation, customerID string,
	change func(was store.Guesses, now time.Time) (store.Guesses, bool),
) error {
	return s.write(ctx, operation, func(b *batch) error {
		if err := checkID(customerID); err != nil {
			return err
		}
		was, err := guessesOf(b.tx, customerID)
		if err != nil {
			return err
		}
		g, changed := change(was, b.now)
		switch {
		case !changed:
			return errUnchanged
		case g.Today == 0 && g.InRow == 0:
			return guesses(b.tx).Delete([]byte(customerID))
		}
		r := guessRecord{V: guessVersion, Today: g.Today, InRow: g.InRow}
		if g.Today > 0 {
			r.Since = g.Since.UnixMilli()
		}
		record, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return guesses(b.tx).Put([]byte(customerID), record)
	})
}

// guessesOf returns the counts of a customer, or zero if there are none.
func guessesOf(tx *bbolt.Tx, customerID string) (store.Guesses, error) {
	record := guesses(tx).Get([]byte(customerID))
	if record == nil {
		return store.Guesses{}, nil
	}
	var r guessRecord
	if err := json.Unmarshal(record, &r); err != nil || r.V != guessVersion {
		return store.Guesses{}, refuse(fmt.Errorf("guesses: %w", store.ErrUnknownRecord))
	}
	return store.Guesses{Today: r.Today, Since: time.UnixMilli(r.Since).UTC(), InRow: r.InRow}, nil
}
