package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

// addUses takes four arguments for each secret: id, count, time, address. It
// writes nothing for a client that is gone, and the latest use only forward
// in time: replicas of grantd flush what they gathered in any order.
var addUses = newScript(`
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

// AddSecretUses runs one script for each client, all in one pipeline. Times
// are cut to milliseconds. Uses of clients that are gone are dropped.
// Repeating it after ErrUnavailable may count some uses twice.
func (s *Store) AddSecretUses(ctx context.Context, uses []store.SecretUse) error {
	if len(uses) == 0 {
		return nil
	}
	byClient := make(map[string][]any)
	for _, u := range uses {
		byClient[u.ClientID] = append(byClient[u.ClientID], u.SecretID, u.Count, u.LastAt.UnixMilli(), u.LastIP)
	}
	pipe := s.client.Pipeline()
	for id, args := range byClient {
		// By source: in a pipeline there is no second try for a Redis that
		// does not know the hash.
		_ = pipe.Process(ctx, addUses.call(ctx, "eval", addUses.source, s.keys.client(id), args))
	}
	_, err := pipe.Exec(ctx)
	return failed(ctx, "add secret uses", err)
}

// ListSecretUses reads the client's hash.
func (s *Store) ListSecretUses(ctx context.Context, clientID string) (map[string]store.SecretUse, error) {
	var fields map[string]string
	err := retry(ctx, func() (err error) {
		fields, err = s.client.HGetAll(ctx, s.keys.client(clientID)).Result()
		return err
	})
	if err != nil {
		return nil, failed(ctx, "list secret uses", err)
	}
	uses := make(map[string]store.SecretUse)
	for field, value := range fields {
		sid, ok := strings.CutSuffix(field, suffixCount)
		if !ok {
			continue
		}
		u := store.SecretUse{ClientID: clientID, SecretID: sid}
		ms, ip, _ := strings.Cut(fields[sid+suffixLast], " ")
		at, errAt := strconv.ParseInt(ms, 10, 64)
		count, errCount := strconv.ParseInt(value, 10, 64)
		if errAt != nil || errCount != nil {
			return nil, fmt.Errorf("list secret uses of %s: %w", clientID, store.ErrUnknownRecord)
		}
		u.Count, u.LastAt, u.LastIP = count, time.UnixMilli(at).UTC(), ip
		uses[sid] = u
	}
	return uses, nil
}
