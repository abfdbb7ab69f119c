package phonekeys

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

// fieldPhone is the place of the customer's own number. An authorized user's is
// named by "user " and their name.
const fieldPhone = "phone"

// Options are what a Customers needs.
type Options struct {
	Store store.Customers
	Keys  *File
	Log   *slog.Logger
	// Unreadable is called for each record with a number that could not be
	// decrypted; may be nil.
	Unreadable func()
}

// Customers is the customers of a store, with their numbers in clear text. What it
// writes is encrypted under the first key. A number that it cannot decrypt stays
// in the record as it is stored (see Readable), and is written back unchanged: the
// record can still be deactivated, and nothing is lost while a key is missing.
type Customers struct {
	o     Options
	wrong *trouble.Log
}

var _ store.Customers = (*Customers)(nil)

// NewCustomers returns a Customers.
func NewCustomers(o Options) *Customers {
	if o.Unreadable == nil {
		o.Unreadable = func() {}
	}
	return &Customers{o, trouble.New(o.Log, "customers: a phone number cannot be read, and no code can be sent to it", "")}
}

// Create encrypts the numbers, and is otherwise that of the store.
func (c *Customers) Create(ctx context.Context, r store.Customer) error {
	return c.o.Store.Create(ctx, c.encrypted(r))
}

// Update encrypts the numbers, and is otherwise that of the store.
func (c *Customers) Update(ctx context.Context, r store.Customer) error {
	return c.o.Store.Update(ctx, c.encrypted(r))
}

// Restore encrypts the numbers, and is otherwise that of the store.
func (c *Customers) Restore(ctx context.Context, r store.Customer, replaces uint64) error {
	return c.o.Store.Restore(ctx, c.encrypted(r), replaces)
}

// Delete is that of the store.
func (c *Customers) Delete(ctx context.Context, id string, version uint64) error {
	return c.o.Store.Delete(ctx, id, version)
}

// Get returns the record with its numbers in clear text.
func (c *Customers) Get(ctx context.Context, id string) (store.Customer, error) {
	r, err := c.o.Store.Get(ctx, id)
	if err != nil {
		return r, err
	}
	return c.decrypted(ctx, r), nil
}

// List returns the records with their numbers in clear text.
func (c *Customers) List(ctx context.Context, p store.Page) ([]store.Customer, error) {
	list, err := c.o.Store.List(ctx, p)
	for i := range list {
		list[i] = c.decrypted(ctx, list[i])
	}
	return list, err
}

// Problem returns why a number of the record cannot be read; nil: all can.
func (c *Customers) Problem(r store.Customer) error {
	_, err := decryptAll(c.o.Keys.keys.Load(), r)
	return err
}

func (c *Customers) decrypted(ctx context.Context, r store.Customer) store.Customer {
	r, err := decryptAll(c.o.Keys.keys.Load(), r)
	if err != nil {
		c.o.Unreadable()
		c.wrong.Failed(ctx, err, "customer_id", r.ID)
	}
	return r
}

// Stored returns the record as it is stored, for what else keeps it: the feed.
func (c *Customers) Stored(r store.Customer) store.Customer { return c.encrypted(r) }

func (c *Customers) encrypted(r store.Customer) store.Customer {
	return each(r, c.o.Keys.keys.Load().encrypt)
}

// decryptAll returns the record with every number in clear text that can be
// decrypted, and the error of the first one that cannot.
func decryptAll(keys *Keys, r store.Customer) (_ store.Customer, wrong error) {
	r = each(r, func(at place, stored string) string {
		number, err := keys.decrypt(at, stored)
		switch {
		case err == nil:
			return number
		case wrong == nil && at.field == fieldPhone:
			wrong = fmt.Errorf("the phone number: %w", err)
		case wrong == nil:
			wrong = fmt.Errorf("the phone number of an authorized user: %w", err)
		}
		return stored
	})
	return r, wrong
}

// each returns a copy of the record with each number as change returns it.
func each(r store.Customer, change func(at place, number string) string) store.Customer {
	r.Phone = change(place{r.ID, fieldPhone}, r.Phone)
	r.AuthorizedUsers = slices.Clone(r.AuthorizedUsers)
	for i, u := range r.AuthorizedUsers {
		r.AuthorizedUsers[i].Phone = change(place{r.ID, "user " + u.Name}, u.Phone)
	}
	return r
}
