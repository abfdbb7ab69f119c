package redisstore

import (
	"context"

	"github.com/grantd/grantd/store"
)

func (s *Store) CreateOrg(ctx context.Context, o store.Org) error {
	return s.orgs.create(ctx, o)
}

// GetOrg is one HGET.
func (s *Store) GetOrg(ctx context.Context, id string) (store.Org, error) {
	return s.orgs.get(ctx, id)
}

func (s *Store) UpdateOrg(ctx context.Context, o store.Org) error {
	return s.orgs.update(ctx, o)
}

func (s *Store) DeleteOrg(ctx context.Context, id string, version uint64) error {
	return s.orgs.remove(ctx, id, version)
}

func (s *Store) ListOrgs(ctx context.Context, after string, limit int) ([]store.Org, error) {
	return s.orgs.list(ctx, after, limit)
}
