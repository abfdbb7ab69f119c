package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
)

// What the scripts on a client's key answer.
const (
	done     = 1
	absent   = 0
	changed  = -1
	existing = -2
)

var createClient = newScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return -2 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'd', ARGV[2])
return 1`)

var updateClient = newScript(`
local v = redis.call('HGET', KEYS[1], 'v')
if not v then return 0 end
if v ~= ARGV[1] then return -1 end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3])
return 1`)

var deleteClient = newScript(`
local v = redis.call('HGET', KEYS[1], 'v')
if not v then return 0 end
if v ~= ARGV[1] then return -1 end
redis.call('DEL', KEYS[1])
return 1`)

// CreateClient puts the id into the index, then writes the record.
func (s *Store) CreateClient(ctx context.Context, c store.Client) error {
	c.Version = max(c.Version, 1)
	record, err := store.MarshalClient(c)
	if err != nil {
		return fmt.Errorf("create client: %w", err)
	}
	if err := s.indexClient(ctx, c.ID); err != nil {
		return err
	}
	if err := s.changeClient(ctx, "create client", createClient, c.ID, c.Version, record); err != nil {
		return err
	}
	// Again, for a deletion of the same id that came in between and took the
	// entry out. DeleteClient does its half.
	return s.indexClient(ctx, c.ID)
}

// GetClient is one HGET.
func (s *Store) GetClient(ctx context.Context, id string) (store.Client, error) {
	var record string
	key := s.keys.client(id)
	err := retry(ctx, func() error {
		cmd := redis.NewStringCmd(ctx, "hget", key, fieldRecord)
		if err := s.do(ctx, key, cmd); err != nil {
			return err
		}
		record = cmd.Val()
		return nil
	})
	if isNil(err) {
		return store.Client{}, fmt.Errorf("get client: %w", store.ErrNotFound)
	}
	if err != nil {
		return store.Client{}, failed(ctx, "get client", err)
	}
	c, err := s.decoded.Decode(id, record)
	if err != nil {
		return store.Client{}, fmt.Errorf("get client %s: %w", id, err)
	}
	return c, nil
}

// UpdateClient compares the version and replaces the record in one script.
func (s *Store) UpdateClient(ctx context.Context, c store.Client) error {
	was := c.Version
	c.Version++
	record, err := store.MarshalClient(c)
	if err != nil {
		return fmt.Errorf("update client: %w", err)
	}
	return s.changeClient(ctx, "update client", updateClient, c.ID, was, c.Version, record)
}

// DeleteClient removes the record with its secret uses in one script, then
// its index entry. It takes out what is left of an earlier try, too.
func (s *Store) DeleteClient(ctx context.Context, id string, version uint64) error {
	err := s.changeClient(ctx, "delete client", deleteClient, id, version)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return errors.Join(err, s.unindexClient(ctx, id))
}

// changeClient runs one of the scripts on a client's key. Versions are
// decimal text in Redis: Lua's numbers would not hold all of them.
func (s *Store) changeClient(ctx context.Context, op string, sc script, id string, args ...any) error {
	for i, arg := range args {
		if v, ok := arg.(uint64); ok {
			args[i] = strconv.FormatUint(v, 10)
		}
	}
	answer, err := s.runAcked(ctx, sc, s.keys.client(id), args...).Int()
	if err != nil {
		return failed(ctx, op, err)
	}
	switch answer {
	case done:
		return nil
	case absent:
		return fmt.Errorf("%s: %w", op, store.ErrNotFound)
	case changed:
		return fmt.Errorf("%s: %w", op, store.ErrConflict)
	case existing:
		return fmt.Errorf("%s: %w", op, store.ErrExists)
	}
	return fmt.Errorf("redis: %s: script answered %d", op, answer)
}
