package redisstore

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// entries yields the indexes that have the record, each with its member.
func (k *records[R]) entries(id, group string) iter.Seq2[string, string] {
	return func(yield func(index, member string) bool) {
		if k.groups != "" && group != "" && !yield(k.groups, store.GroupMember(group, id)) {
			return
		}
		yield(k.index, id)
	}
}

// indexRestored puts the record into the indexes, also on a Redis that is full.
func (k *records[R]) indexRestored(ctx context.Context, op string, r store.Encoded) error {
	for index, member := range k.entries(r.ID, r.Group) {
		if r.Replaces != 0 && index == k.index {
			continue // it is there
		}
		if err := k.s.redis.Run(ctx, indexRecord, index, member).Err(); err != nil {
			return wire.StoreError(ctx, op, err)
		}
	}
	return nil
}

// groupOf returns the group of the record; "" if there is none, or if it cannot be
// decoded.
func (k *records[R]) groupOf(ctx context.Context, id string) (string, error) {
	if k.groups == "" {
		return "", nil
	}
	form, err := k.read(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	group, err := k.GroupIn([]byte(form))
	if err != nil {
		return "", nil //nolint:nilerr // its entry stays, and is skipped
	}
	return group, nil
}

// listGroup is List for a page of a group.
func (k *records[R]) listGroup(ctx context.Context, p store.Page) ([]R, error) {
	var list []R
	for limit := p.Limit; len(list) < limit; {
		p.Limit = limit - len(list)
		ids, complete, err := k.idsOfGroup(ctx, p)
		if err != nil {
			return nil, err
		}
		if !complete {
			rest, err := k.ScanGroup(p, func(p store.Page) ([]R, error) { return k.List(ctx, p) })
			return append(list, rest...), err
		}
		page, err := k.appendRecords(ctx, nil, ids)
		if err != nil {
			return nil, err
		}
		list = append(list, slices.DeleteFunc(page, func(r R) bool { return k.Group(&r) != p.Group })...)
		if len(ids) < p.Limit {
			break
		}
		p.After = ids[len(ids)-1]
	}
	return list, nil
}

// idsOfGroup returns the ids of the page in the index of groups. complete is false
// if that may lack some.
func (k *records[R]) idsOfGroup(ctx context.Context, p store.Page) (ids []string, complete bool, err error) {
	if k.groups == "" {
		return nil, true, nil
	}
	after, below := p.GroupBounds()
	by := redis.ZRangeBy{Min: "(" + after, Max: "(" + below, Count: int64(p.Limit)}
	err = wire.Retry(ctx, func() error {
		pipe := k.s.redis.Pipeline()
		mark, members := pipe.ZScore(ctx, k.groups, store.GroupsComplete), pipe.ZRangeByLex(ctx, k.groups, &by)
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		if err := mark.Err(); err != nil && !wire.IsNil(err) {
			return err
		}
		ids, complete = members.Val(), mark.Err() == nil
		return members.Err()
	})
	for i := range ids {
		ids[i] = p.MemberID(ids[i])
	}
	return ids, complete, wire.StoreError(ctx, k.listing(), err)
}

// IndexGroups completes the indexes of groups.
func (s *Store) IndexGroups(ctx context.Context) (added int, err error) {
	customers, err := s.customers.indexGroups(ctx)
	if err != nil {
		return customers, err
	}
	keys, err := s.apiKeys.indexGroups(ctx)
	return customers + keys, err
}

func (k *records[R]) indexGroups(ctx context.Context) (added int, err error) {
	for after := ""; ; {
		ids, err := k.ids(ctx, after, "", scanAtOnce)
		if err != nil {
			return added, err
		}
		n, err := k.indexPage(ctx, ids)
		added += n
		if err != nil {
			return added, err
		}
		if len(ids) < scanAtOnce {
			break
		}
		after = ids[len(ids)-1]
	}
	err = k.s.redis.ZAdd(ctx, k.groups, redis.Z{Member: store.GroupsComplete}).Err()
	return added, wire.StoreError(ctx, "index "+k.Name, err)
}

// indexPage puts the records of the ids into the index of groups. A record that is
// deleted meanwhile leaves an entry, which lists skip.
func (k *records[R]) indexPage(ctx context.Context, ids []string) (added int, err error) {
	page, err := k.appendRecords(ctx, nil, ids)
	if err != nil {
		return 0, err
	}
	var members []redis.Z
	for i := range page {
		if group := k.Group(&page[i]); group != "" {
			members = append(members, redis.Z{Member: store.GroupMember(group, k.ID(&page[i]))})
		}
	}
	if len(members) == 0 {
		return 0, nil
	}
	n, err := k.s.redis.ZAdd(ctx, k.groups, members...).Result()
	return int(n), wire.StoreError(ctx, "index "+k.Name, err)
}
