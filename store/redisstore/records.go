package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// The results of the scripts on a record's key.
const (
	done     = 1
	absent   = 0
	changed  = -1
	existing = -2
)

var createRecord = wire.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return -2 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'd', ARGV[2])
return 1`)

var updateRecord = wire.NewEnding(`
local v = redis.call('HGET', KEYS[1], 'v')
if not v then return 0 end
if v ~= ARGV[1] then return -1 end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3])
return 1`)

// restoreRecord replaces the version ARGV[1], or nothing if that is 0.
var restoreRecord = wire.NewEnding(`
local v = redis.call('HGET', KEYS[1], 'v')
if ARGV[1] == '0' then
  if v then return -2 end
elseif not v then return 0
elseif v ~= ARGV[1] then return -1 end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3])
return 1`)

// indexRecord is addToIndex, also on a Redis that is full.
var indexRecord = wire.NewEnding(`return redis.call('ZADD', KEYS[1], 0, ARGV[1])`)

var deleteRecord = wire.NewEnding(`
local v = redis.call('HGET', KEYS[1], 'v')
if not v then return 0 end
if v ~= ARGV[1] then return -1 end
redis.call('DEL', KEYS[1])
return 1`)

// records keeps the records of one kind: a hash for each record, a sorted set of
// all their ids, and another one by group if they have groups.
type records[R any] struct {
	store.Kind[R]
	s     *Store
	key   func(id string) string
	index string
	// decode replaces Unmarshal in Get; nil: Unmarshal is used.
	decode func(id, form string) (R, error)
	groups string // the index of groups; "": records of this kind have none
}

// Clients keeps clients. Get does not decode an unchanged record again.
func (s *Store) Clients() store.Clients { return &s.clients }

func (s *Store) Orgs() store.Orgs                     { return &s.orgs }
func (s *Store) Customers() store.Customers           { return &s.customers }
func (s *Store) Partners() store.Partners             { return &s.partners }
func (s *Store) PartnerTokens() store.PartnerTokens   { return &s.partnerTokens }
func (s *Store) APIKeys() store.APIKeys               { return &s.apiKeys }
func (s *Store) Grants() store.Grants                 { return &s.grants }
func (s *Store) Holds() store.Holds                   { return &s.holds }
func (s *Store) NoticeQueues() store.NoticeQueues     { return &s.noticeQueues }
func (s *Store) SigningKeys() store.SigningKeyRecords { return &s.signingKeys }

// Create puts the id into the indexes, then writes the record.
func (k *records[R]) Create(ctx context.Context, r R) error {
	op := "create " + k.Name
	first, err := k.EncodeNew(r)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := k.s.room(op); err != nil {
		return err
	}
	if err := k.addToIndex(ctx, first.ID, first.Group); err != nil {
		return err
	}
	if err := k.change(ctx, op, createRecord, first.ID, first.Version, first.Form); err != nil {
		return err
	}
	// A deletion of the same id may have removed the entry in between, so it is
	// added again. Delete does the same check from its side.
	return k.addToIndex(ctx, first.ID, first.Group)
}

// Get is one HGET.
func (k *records[R]) Get(ctx context.Context, id string) (R, error) {
	form, err := k.read(ctx, id)
	if err != nil {
		return *new(R), err
	}
	var r R
	if k.decode != nil {
		r, err = k.decode(id, form)
	} else {
		r, err = k.Unmarshal([]byte(form))
	}
	if err != nil {
		return *new(R), fmt.Errorf("get %s %s: %w", k.Name, id, err)
	}
	return r, nil
}

// read returns the record's stored form.
func (k *records[R]) read(ctx context.Context, id string) (string, error) {
	var form string
	key := k.key(id)
	err := wire.Retry(ctx, func() error {
		cmd := redis.NewStringCmd(ctx, "hget", key, fieldRecord)
		if err := k.s.redis.Send(ctx, key, cmd); err != nil {
			return err
		}
		form = cmd.Val()
		return nil
	})
	if wire.IsNil(err) {
		return "", fmt.Errorf("get %s: %w", k.Name, store.ErrNotFound)
	}
	return form, wire.StoreError(ctx, "get "+k.Name, err)
}

// Update compares the version and replaces the record in one script.
func (k *records[R]) Update(ctx context.Context, r R) error {
	op := "update " + k.Name
	next, err := k.EncodeNext(r)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return k.change(ctx, op, updateRecord, next.ID, next.Replaces, next.Version, next.Form)
}

// Restore compares the version and replaces the record in one script.
func (k *records[R]) Restore(ctx context.Context, r R, replaces uint64) error {
	op := "restore " + k.Name
	next, err := k.EncodeRestored(r, replaces)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := k.indexRestored(ctx, op, next); err != nil {
		return err
	}
	if err := k.change(ctx, op, restoreRecord, next.ID, next.Replaces, next.Version, next.Form); err != nil {
		return err
	}
	return k.indexRestored(ctx, op, next) // as in Create
}

// Delete removes the record, with the uses in its hash, in one script, and then
// its index entries. It also removes an index entry that an earlier try left.
func (k *records[R]) Delete(ctx context.Context, id string, version uint64) error {
	group, err := k.groupOf(ctx, id)
	if err != nil {
		return err
	}
	err = k.change(ctx, "delete "+k.Name, deleteRecord, id, version)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return errors.Join(err, k.removeFromIndex(ctx, id, group))
}

// change runs one of the scripts on a record's key. Versions are decimal text in
// Redis: Lua's numbers cannot hold all of them.
func (k *records[R]) change(ctx context.Context, op string, sc wire.Script, id string, args ...any) error {
	for i, arg := range args {
		if v, ok := arg.(uint64); ok {
			args[i] = strconv.FormatUint(v, 10)
		}
	}
	result, err := k.s.runChange(ctx, k.s.acks.Critical, sc, k.key(id), args...).Int()
	if err != nil {
		return wire.StoreError(ctx, op, err)
	}
	switch result {
	case done:
		return nil
	case absent:
		return fmt.Errorf("%s: %w", op, store.ErrNotFound)
	case changed:
		return fmt.Errorf("%s: %w", op, store.ErrConflict)
	case existing:
		return fmt.Errorf("%s: %w", op, store.ErrExists)
	}
	return fmt.Errorf("redis: %s: the script returned %d", op, result)
}
