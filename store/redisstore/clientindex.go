package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
)

func (s *Store) indexClient(ctx context.Context, id string) error {
	return failed(ctx, "index client", s.client.ZAdd(ctx, s.keys.clientIndex(), redis.Z{Member: id}).Err())
}

// unindexClient takes the id out of the index, and puts it back if a client
// of this id was created meanwhile.
func (s *Store) unindexClient(ctx context.Context, id string) error {
	if err := s.client.ZRem(ctx, s.keys.clientIndex(), id).Err(); err != nil {
		return failed(ctx, "unindex client", err)
	}
	there, err := s.client.Exists(ctx, s.keys.client(id)).Result()
	if err != nil {
		return failed(ctx, "unindex client", err)
	}
	if there == 0 {
		return nil
	}
	return s.indexClient(ctx, id)
}

// ListClients reads ids from the index, then their records in one pipeline,
// until it has enough of them. One record that cannot be read fails the
// list: leaving it out would hide a client that may be live.
func (s *Store) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	var list []store.Client
	for len(list) < limit {
		want := limit - len(list)
		ids, err := s.clientIDs(ctx, after, want)
		if err != nil {
			return nil, err
		}
		if list, err = s.appendClients(ctx, list, ids); err != nil {
			return nil, err
		}
		if len(ids) < want {
			break
		}
		after = ids[len(ids)-1]
	}
	return list, nil
}

// clientIDs answers up to limit ids after the given one. All scores are 0,
// so the order is the byte order of the ids.
func (s *Store) clientIDs(ctx context.Context, after string, limit int) ([]string, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	var ids []string
	err := retry(ctx, func() (err error) {
		by := redis.ZRangeBy{Min: from, Max: "+", Count: int64(limit)}
		ids, err = s.client.ZRangeByLex(ctx, s.keys.clientIndex(), &by).Result()
		return err
	})
	return ids, failed(ctx, "list clients", err)
}

// appendClients appends the records of the ids that have one.
func (s *Store) appendClients(ctx context.Context, list []store.Client, ids []string) ([]store.Client, error) {
	if len(ids) == 0 {
		return list, nil
	}
	pipe := s.client.Pipeline()
	records := make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		records[i] = pipe.HGet(ctx, s.keys.client(id), fieldRecord)
	}
	_, _ = pipe.Exec(ctx) // each command keeps its own error
	for i, cmd := range records {
		record, err := cmd.Bytes()
		if isNil(err) {
			continue
		}
		if err != nil {
			return nil, failed(ctx, "list clients", err)
		}
		c, err := store.UnmarshalClient(record)
		if err != nil {
			return nil, fmt.Errorf("list clients: %s: %w", ids[i], err)
		}
		list = append(list, c)
	}
	return list, nil
}
