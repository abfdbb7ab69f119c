package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// addToIndex puts the id into the indexes.
func (k *records[R]) addToIndex(ctx context.Context, id, group string) error {
	pipe := k.s.redis.Pipeline()
	for index, member := range k.entries(id, group) {
		pipe.ZAdd(ctx, index, redis.Z{Member: member})
	}
	_, err := pipe.Exec(ctx)
	return wire.StoreError(ctx, "index "+k.Name, err)
}

// removeFromIndex removes the id from the indexes, and puts it back if a record
// with this id was created in between. If that has another group, the entry for
// this one stays without a record.
func (k *records[R]) removeFromIndex(ctx context.Context, id, group string) error {
	pipe := k.s.redis.Pipeline()
	for index, member := range k.entries(id, group) {
		pipe.ZRem(ctx, index, member)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return wire.StoreError(ctx, "unindex "+k.Name, err)
	}
	there, err := k.s.redis.Exists(ctx, k.key(id)).Result()
	if err != nil {
		return wire.StoreError(ctx, "unindex "+k.Name, err)
	}
	if there == 0 {
		return nil
	}
	return k.addToIndex(ctx, id, group)
}

// List reads ids from the index, then their records in one pipeline, until it
// has enough of them. A record that cannot be read fails the list: leaving it
// out could hide an active record.
func (k *records[R]) List(ctx context.Context, p store.Page) ([]R, error) {
	if p.Group != "" {
		return k.listGroup(ctx, p)
	}
	var list []R
	after, below := p.Bounds()
	for len(list) < p.Limit {
		want := p.Limit - len(list)
		ids, err := k.ids(ctx, after, below, want)
		if err != nil {
			return nil, err
		}
		if list, err = k.appendRecords(ctx, list, ids); err != nil {
			return nil, err
		}
		if len(ids) < want {
			break
		}
		after = ids[len(ids)-1]
	}
	return list, nil
}

// ids returns up to limit ids that are greater than after and less than below.
// All scores are 0, so they are in byte order.
func (k *records[R]) ids(ctx context.Context, after, below string, limit int) ([]string, error) {
	by := redis.ZRangeBy{Min: "-", Max: "+", Count: int64(limit)}
	if after != "" {
		by.Min = "(" + after
	}
	if below != "" {
		by.Max = "(" + below
	}
	var ids []string
	err := wire.Retry(ctx, func() (err error) {
		ids, err = k.s.redis.ZRangeByLex(ctx, k.index, &by).Result()
		return err
	})
	return ids, wire.StoreError(ctx, k.listing(), err)
}

// appendRecords appends the records of the ids that have one.
func (k *records[R]) appendRecords(ctx context.Context, list []R, ids []string) ([]R, error) {
	if len(ids) == 0 {
		return list, nil
	}
	pipe := k.s.redis.Pipeline()
	forms := make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		forms[i] = pipe.HGet(ctx, k.key(id), fieldRecord)
	}
	_, _ = pipe.Exec(ctx) // each command keeps its own error
	for i, cmd := range forms {
		form, err := cmd.Bytes()
		if wire.IsNil(err) {
			continue
		}
		if err != nil {
			return nil, wire.StoreError(ctx, k.listing(), err)
		}
		r, err := k.Unmarshal(form)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", k.listing(), ids[i], err)
		}
		list = append(list, r)
	}
	return list, nil
}

// listing returns the name of the operation for errors.
func (k *records[R]) listing() string { return "list " + k.Name + "s" }
