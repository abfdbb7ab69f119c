package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// addUses takes four arguments for each credential: id, count, time, address.
// It writes nothing for an owner that is gone. The time of the latest use only
// moves forward: replicas of grantd report their uses in any order.
var addUses = wire.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for i = 1, #ARGV, 4 do
  redis.call('HINCRBY', KEYS[1], ARGV[i] .. ':n', ARGV[i+1])
  local last = redis.call('HGET', KEYS[1], ARGV[i] .. ':last')
  local at = last and tonumber(string.match(last, '^%-?%d+'))
  if not at or tonumber(ARGV[i+2]) >= at then
    redis.call('HSET', KEYS[1], ARGV[i] .. ':last', ARGV[i+2] .. ' ' .. ARGV[i+3])
  end
end
return 1`)

// AddUses runs one script for each owner, all in one pipeline. Times are
// truncated to milliseconds. Uses of owners that are gone are dropped. A repeat
// after store.ErrUnavailable may count some uses twice.
func (s *Store) AddUses(ctx context.Context, uses []store.Use) error {
	if len(uses) == 0 {
		return nil
	}
	byOwner := make(map[string][]any)
	for _, u := range uses {
		byOwner[u.Owner] = append(byOwner[u.Owner], u.ID, u.Count, u.LastAt.UnixMilli(), u.LastIP)
	}
	pipe := s.redis.Pipeline()
	for owner, args := range byOwner {
		_ = pipe.Process(ctx, addUses.Command(ctx, s.keys.owner(owner), args...))
	}
	_, err := pipe.Exec(ctx)
	return wire.StoreError(ctx, "add uses", err)
}

// ListUses reads the owner's hash.
func (s *Store) ListUses(ctx context.Context, owner string) (map[string]store.Use, error) {
	list, err := s.ListUsesOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	uses := make(map[string]store.Use, len(list))
	for _, u := range list {
		uses[u.ID] = u
	}
	return uses, nil
}

// ListUsesOf reads the hashes of the owners in one pipeline.
func (s *Store) ListUsesOf(ctx context.Context, owners ...string) ([]store.Use, error) {
	if len(owners) == 0 {
		return nil, nil
	}
	var hashes []*redis.MapStringStringCmd
	err := wire.Retry(ctx, func() error {
		hashes = hashes[:0]
		pipe := s.redis.Pipeline()
		for _, owner := range owners {
			hashes = append(hashes, pipe.HGetAll(ctx, s.keys.owner(owner)))
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "list uses", err)
	}
	var list []store.Use
	for i, cmd := range hashes {
		uses, err := usesOf(owners[i], cmd.Val())
		if err != nil {
			return nil, fmt.Errorf("list uses of %s: %w", owners[i], err)
		}
		list = append(list, uses...)
	}
	return list, nil
}

// usesOf reads the uses in the fields of the owner's hash. Errors:
// store.ErrUnknownRecord.
func usesOf(owner string, fields map[string]string) (list []store.Use, err error) {
	for field, value := range fields {
		id, ok := strings.CutSuffix(field, suffixCount)
		if !ok {
			continue
		}
		u := store.Use{Owner: owner, ID: id}
		ms, ip, _ := strings.Cut(fields[id+suffixLast], " ")
		at, errAt := strconv.ParseInt(ms, 10, 64)
		count, errCount := strconv.ParseInt(value, 10, 64)
		if errAt != nil || errCount != nil {
			return nil, fmt.Errorf("use of %s: %w", id, store.ErrUnknownRecord)
		}
		u.Count, u.LastAt, u.LastIP = count, time.UnixMilli(at).UTC(), ip
		list = append(list, u)
	}
	return list, nil
}

// owner returns the key of the hash that holds the owner's uses: the owner's
// record. For any other principal, it is a key that is never written.
func (k keys) owner(principal string) string {
	switch kind, id := store.OwnerOf(principal); kind {
	case store.OwnerClient:
		return k.client(id)
	case store.OwnerPartner:
		return k.partner(id)
	case store.OwnerKey:
		return k.apiKey(id)
	}
	return k.prefix + "nobody"
}
