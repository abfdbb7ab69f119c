package embedded

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
)

// CreateClient writes a new client. Errors: store.ErrExists.
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	return s.clients.create(ctx, c)
}

// GetClient answers a client. What it answered before is not decoded again.
// Errors: store.ErrNotFound, store.ErrUnknownRecord.
func (s *Store) GetClient(ctx context.Context, id string) (store.Client, error) {
	return s.clients.get(ctx, id, func(form []byte) (store.Client, error) { return s.decoded.Decode(id, string(form)) })
}

// UpdateClient replaces a client if its version is c.Version.
// Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) UpdateClient(ctx context.Context, c store.Client) error {
	return s.clients.update(ctx, c)
}

// DeleteClient removes a client with its secret uses if its version is
// version. Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) DeleteClient(ctx context.Context, id string, version uint64) error {
	return s.clients.remove(ctx, id, version, func(tx *bbolt.Tx) error { return deleteUses(tx, id) })
}

// ListClients answers up to limit clients with an id after the given one.
// Errors: store.ErrUnknownRecord.
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	return s.clients.list(ctx, after, limit)
}
