package redisstore

import (
	"context"
	"fmt"

	"github.com/grantd/grantd/store"
)

func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	return s.clients.create(ctx, c)
}

// GetClient is one HGET. What it answered before is not decoded again.
func (s *Store) GetClient(ctx context.Context, id string) (store.Client, error) {
	form, err := s.clients.read(ctx, id)
	if err != nil {
		return store.Client{}, err
	}
	c, err := s.decoded.Decode(id, form)
	if err != nil {
		return store.Client{}, fmt.Errorf("get client %s: %w", id, err)
	}
	return c, nil
}

func (s *Store) UpdateClient(ctx context.Context, c store.Client) error {
	return s.clients.update(ctx, c)
}

// DeleteClient removes the secret uses too: they are in the same hash.
func (s *Store) DeleteClient(ctx context.Context, id string, version uint64) error {
	return s.clients.remove(ctx, id, version)
}

func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	return s.clients.list(ctx, after, limit)
}
