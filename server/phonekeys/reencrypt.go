package phonekeys

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	reencryptPage = 500
	// reencryptTime bounds one call of Reencrypt. It ends after the page during
	// which the time passed.
	reencryptTime = 5 * time.Second
	// reencryptAtOnce is how many records are written at the same time: a store
	// writes several of them in one step.
	reencryptAtOnce = 16
	casTries        = 5
)

// ErrNoKeys means that there is no file with keys to encrypt with.
var ErrNoKeys = errors.New("there is no file with keys for phone numbers")

// Reencrypted counts what Reencrypt did with the records that it saw.
type Reencrypted struct {
	Checked    int
	Encrypted  int // written again, under the first key
	Unreadable int // left as they are: a key is missing
	// UnreadableID is the first of those.
	UnreadableID string
	Next         string // the id to go on after; "": done
}

// Reencrypt encrypts the numbers that are in clear text or under a key that is not
// the first one, in the order of the records' ids after the given one. It stops
// after some seconds. Every record that is written gets its next version, so codes
// that were sent to its customer before are void.
// Errors: ErrNoKeys, store.ErrConflict, store.ErrUnavailable.
func (c *Customers) Reencrypt(ctx context.Context, after string) (Reencrypted, error) {
	if !c.o.Keys.Configured() {
		return Reencrypted{Next: after}, ErrNoKeys
	}
	done := Reencrypted{Next: after}
	for began := time.Now(); time.Since(began) < reencryptTime; {
		page, err := c.o.Store.List(ctx, store.Page{After: done.Next, Limit: reencryptPage})
		if err != nil {
			return done, err
		}
		if err := c.reencryptPage(ctx, page, &done); err != nil {
			return done, err
		}
		if len(page) < reencryptPage {
			done.Next = ""
			return done, nil
		}
		done.Next = page[len(page)-1].ID
	}
	return done, nil
}

func (c *Customers) reencryptPage(ctx context.Context, page []store.Customer, done *Reencrypted) error {
	var all sync.WaitGroup
	slots := make(chan struct{}, reencryptAtOnce)
	results, failed := make([]result, len(page)), make([]error, len(page))
	for i := range page {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			results[i], failed[i] = c.reencryptOne(ctx, page[i])
		})
	}
	all.Wait()
	for i, r := range results {
		done.Checked++
		switch r {
		case written:
			done.Encrypted++
		case unreadable:
			done.Unreadable++
			done.UnreadableID = cmp.Or(done.UnreadableID, page[i].ID)
		}
	}
	return errors.Join(failed...)
}

// result is what happened to one record.
type result int

const (
	untouched result = iota
	written
	unreadable
)

// reencryptOne encrypts the numbers of the record, or of what somebody has made of
// it since. r is as the store has it.
func (c *Customers) reencryptOne(ctx context.Context, r store.Customer) (result, error) {
	keys, err := c.o.Keys.keys.Load(), error(nil)
	for range casTries {
		old := false
		each(r, func(_ place, stored string) string { old = old || !keys.current(stored); return stored })
		if !old {
			return untouched, nil
		}
		plain, wrong := decryptAll(keys, r)
		if wrong != nil {
			return unreadable, nil
		}
		err = c.o.Store.Update(ctx, each(plain, keys.encrypt))
		switch {
		case err == nil:
			return written, nil
		case errors.Is(err, store.ErrConflict):
			r, err = c.o.Store.Get(ctx, r.ID)
		}
		if errors.Is(err, store.ErrNotFound) {
			return untouched, nil // it was deleted
		}
		if err != nil {
			return untouched, err
		}
	}
	return untouched, store.ErrConflict
}
