package redisstore

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// recordSections are the sections whose items are records with an index.
var recordSections = []store.Section{
	store.SectionOrgs, store.SectionClients, store.SectionCustomers, store.SectionPartners, store.SectionPartnerTokens, store.SectionAPIKeys, store.SectionGrants,
	store.SectionSigningKeys,
}

// Inspect looks for records that their index lacks: they work, but no list has
// them, so nobody sees them. An index may have ids without a record; they are
// skipped.
func (s *Store) Inspect(ctx context.Context, found func(store.Finding)) error {
	for _, section := range recordSections {
		k := s.kindOf(section)
		for cursor := ""; ; {
			_, names, next, err := s.scan(ctx, k.recordKey(""), cursor, scanAtOnce)
			if err != nil {
				return err
			}
			if err := s.inspectIndex(ctx, section, k, names, found); err != nil {
				return err
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	return nil
}

func (s *Store) inspectIndex(ctx context.Context, section store.Section, k kind, names []string, found func(store.Finding)) error {
	if len(names) == 0 {
		return nil
	}
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = strings.TrimPrefix(name, k.recordKey(""))
	}
	pipe := s.redis.Pipeline()
	cmds := make([]*redis.FloatCmd, len(ids))
	for i, id := range ids {
		cmds[i] = pipe.ZScore(ctx, k.indexKey(), id)
	}
	_, _ = pipe.Exec(ctx) // each command keeps its own error
	for i, cmd := range cmds {
		switch err := cmd.Err(); {
		case wire.IsNil(err):
			found(store.Finding{Section: section, Key: ids[i], Problem: "the index does not have it, so it works but is not listed"})
		case err != nil:
			return wire.StoreError(ctx, "inspect", err)
		}
	}
	return nil
}
