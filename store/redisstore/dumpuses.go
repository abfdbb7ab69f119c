package redisstore

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// useOwners are the kinds of owners of credentials, in the order in which dumpUses
// returns their uses.
var useOwners = [...]struct {
	kind      store.OwnerKind
	section   store.Section
	principal func(id string) string
}{
	{store.OwnerClient, store.SectionClients, store.PrincipalClient},
	{store.OwnerPartner, store.SectionPartners, store.PrincipalPartner},
	{store.OwnerKey, store.SectionAPIKeys, store.PrincipalKey},
}

// dumpUses returns the uses of the credentials of some owners of one kind. The
// cursor is the principal of the last owner.
func (s *Store) dumpUses(ctx context.Context, cursor string, limit int) (items []store.Item, next string, err error) {
	of, after := store.OwnerOf(cursor)
	at := 0
	for at+1 < len(useOwners) && of != "" && useOwners[at].kind != of {
		at++
	}
	k, principal := s.kindOf(useOwners[at].section), useOwners[at].principal
	ids, last, err := page(ctx, k, after, limit)
	if err != nil {
		return nil, "", err
	}
	hashes, err := s.hashes(ctx, k, ids)
	if err != nil {
		return nil, "", err
	}
	for i, fields := range hashes {
		found, err := usesOf(principal(ids[i]), fields)
		if err != nil {
			return nil, "", err
		}
		for _, u := range found {
			item, err := store.UseItem(u)
			if err != nil {
				return nil, "", err
			}
			items = append(items, item)
		}
	}
	switch {
	case last != "":
		next = principal(last)
	case at+1 < len(useOwners):
		next = useOwners[at+1].principal("")
	}
	return items, next, nil
}

func (s *Store) dumpNetworks(ctx context.Context, cursor string, limit int) (items []store.Item, next string, err error) {
	ids, next, err := page(ctx, &s.clients, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	hashes, err := s.hashes(ctx, &s.clients, ids)
	if err != nil {
		return nil, "", err
	}
	for i, fields := range hashes {
		if list := strings.Fields(fields[fieldNetworks]); len(list) > 0 {
			item, err := store.NetworksItem(ids[i], list)
			if err != nil {
				return nil, "", err
			}
			items = append(items, item)
		}
	}
	return items, next, nil
}

// hashes returns the whole hashes of the records, in the order of the ids.
func (s *Store) hashes(ctx context.Context, k kind, ids []string) ([]map[string]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	pipe := s.redis.Pipeline()
	cmds := make([]*redis.MapStringStringCmd, len(ids))
	for i, id := range ids {
		cmds[i] = pipe.HGetAll(ctx, k.recordKey(id))
	}
	_, _ = pipe.Exec(ctx) // each command keeps its own error
	hashes := make([]map[string]string, len(ids))
	for i, cmd := range cmds {
		var err error
		if hashes[i], err = cmd.Result(); err != nil {
			return nil, wire.StoreError(ctx, "dump uses", err)
		}
	}
	return hashes, nil
}
