package redisstore

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// addNetworks takes the number of networks to keep, then those to add. It writes
// nothing for a client that is gone.
var addNetworks = wire.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local list, seen = {}, {}
for i = #ARGV, 2, -1 do
  if not seen[ARGV[i]] then
    seen[ARGV[i]] = true
    table.insert(list, 1, ARGV[i])
  end
end
local kept = {}
for n in string.gmatch(redis.call('HGET', KEYS[1], 'nets') or '', '%S+') do
  if not seen[n] then table.insert(kept, n) end
end
for _, n in ipairs(list) do table.insert(kept, n) end
while #kept > tonumber(ARGV[1]) do table.remove(kept, 1) end
redis.call('HSET', KEYS[1], 'nets', table.concat(kept, ' '))
return 1`)

// AddNetworks runs one script on the client's record.
func (s *Store) AddNetworks(ctx context.Context, clientID string, added ...string) error {
	args := make([]any, 0, len(added)+1)
	args = append(args, store.MaxNetworks)
	for _, n := range added {
		args = append(args, n)
	}
	return wire.StoreError(ctx, "add networks", s.redis.Run(ctx, addNetworks, s.keys.client(clientID), args...).Err())
}

// ListNetworks reads one field of the client's record.
func (s *Store) ListNetworks(ctx context.Context, clientID string) ([]string, error) {
	var list string
	err := wire.Retry(ctx, func() (err error) {
		list, err = s.redis.HGet(ctx, s.keys.client(clientID), fieldNetworks).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "list networks", err)
	}
	return strings.Fields(list), nil
}
