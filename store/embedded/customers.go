package embedded

import (
	"context"

	"github.com/grantd/grantd/store"
)

// CreateCustomer writes a new customer. Errors: store.ErrExists.
func (s *Store) CreateCustomer(ctx context.Context, c store.Customer) error {
	return s.customers.create(ctx, c)
}

// GetCustomer answers a customer. Errors: store.ErrNotFound, store.ErrUnknownRecord.
func (s *Store) GetCustomer(ctx context.Context, id string) (store.Customer, error) {
	return s.customers.get(ctx, id, store.UnmarshalCustomer)
}

// UpdateCustomer replaces a customer if its version is c.Version.
// Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) UpdateCustomer(ctx context.Context, c store.Customer) error {
	return s.customers.update(ctx, c)
}

// DeleteCustomer removes a customer if its version is version.
// Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) DeleteCustomer(ctx context.Context, id string, version uint64) error {
	return s.customers.remove(ctx, id, version, nil)
}

// ListCustomers answers up to limit customers with an id after the given one.
// Errors: store.ErrUnknownRecord.
func (s *Store) ListCustomers(ctx context.Context, after string, limit int) ([]store.Customer, error) {
	return s.customers.list(ctx, after, limit)
}
