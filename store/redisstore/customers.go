package redisstore

import (
	"context"

	"github.com/grantd/grantd/store"
)

func (s *Store) CreateCustomer(ctx context.Context, c store.Customer) error {
	return s.customers.create(ctx, c)
}

// GetCustomer is one HGET.
func (s *Store) GetCustomer(ctx context.Context, id string) (store.Customer, error) {
	return s.customers.get(ctx, id)
}

func (s *Store) UpdateCustomer(ctx context.Context, c store.Customer) error {
	return s.customers.update(ctx, c)
}

func (s *Store) DeleteCustomer(ctx context.Context, id string, version uint64) error {
	return s.customers.remove(ctx, id, version)
}

func (s *Store) ListCustomers(ctx context.Context, after string, limit int) ([]store.Customer, error) {
	return s.customers.list(ctx, after, limit)
}
