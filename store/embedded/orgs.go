package embedded

import (
	"context"

	"github.com/grantd/grantd/store"
)

// CreateOrg writes a new org. Errors: store.ErrExists.
func (s *Store) CreateOrg(ctx context.Context, o store.Org) error {
	return s.orgs.create(ctx, o)
}

// GetOrg answers an org. Errors: store.ErrNotFound, store.ErrUnknownRecord.
func (s *Store) GetOrg(ctx context.Context, id string) (store.Org, error) {
	return s.orgs.get(ctx, id, store.UnmarshalOrg)
}

// UpdateOrg replaces an org if its version is o.Version.
// Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) UpdateOrg(ctx context.Context, o store.Org) error {
	return s.orgs.update(ctx, o)
}

// DeleteOrg removes an org if its version is version.
// Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) DeleteOrg(ctx context.Context, id string, version uint64) error {
	return s.orgs.remove(ctx, id, version, nil)
}

// ListOrgs answers up to limit orgs with an id after the given one.
// Errors: store.ErrUnknownRecord.
func (s *Store) ListOrgs(ctx context.Context, after string, limit int) ([]store.Org, error) {
	return s.orgs.list(ctx, after, limit)
}
