package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store/redisstore/wire"
)

// globs are the characters that mean something in a pattern of SCAN.
var globs = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// scan returns keys that begin with the prefix, of one master at a time, and that
// master. Keys may be returned twice. The cursor is the address of the master, a
// space and the cursor of SCAN; the next one is "" after the last keys.
func (s *Store) scan(ctx context.Context, prefix, cursor string, limit int) (node *redis.Client, keys []string, next string, err error) {
	masters, err := s.masters(ctx)
	if err != nil {
		return nil, nil, "", err
	}
	at, from := 0, uint64(0)
	if address, place, ok := strings.Cut(cursor, " "); ok {
		at = slices.IndexFunc(masters, func(m *redis.Client) bool { return m.Options().Addr == address })
		if from, err = strconv.ParseUint(place, 10, 64); err != nil || at < 0 {
			return nil, nil, "", fmt.Errorf("redis: scan: the masters have changed meanwhile: start again")
		}
	}
	node = masters[at]
	var to uint64
	err = wire.Retry(ctx, func() (err error) {
		keys, to, err = node.Scan(ctx, from, globs.Replace(prefix)+"*", int64(limit)).Result()
		return err
	})
	switch {
	case err != nil:
		return nil, nil, "", wire.StoreError(ctx, "scan", err)
	case to != 0:
		next = node.Options().Addr + " " + strconv.FormatUint(to, 10)
	case at+1 < len(masters):
		next = masters[at+1].Options().Addr + " 0"
	}
	return node, keys, next, nil
}

// masters returns the masters in order of their addresses.
func (s *Store) masters(ctx context.Context) (list []*redis.Client, err error) {
	var mu sync.Mutex
	err = s.redis.EachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, node)
		return nil
	})
	slices.SortFunc(list, func(a, b *redis.Client) int { return cmp.Compare(a.Options().Addr, b.Options().Addr) })
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("redis: find the masters: there is none")
	}
	return list, err
}

// scanAtOnce is how many keys one SCAN looks at.
const scanAtOnce = 1000

// Clear removes all keys of the store, on one master after the other.
func (s *Store) Clear(ctx context.Context) error {
	newest, err := s.newestEntry(ctx)
	if err != nil {
		return err
	}
	s.seen(newest)
	for cursor := ""; ; {
		node, names, next, err := s.scan(ctx, s.keys.prefix, cursor, scanAtOnce)
		if err != nil {
			return err
		}
		pipe := node.Pipeline()
		for _, name := range names {
			if s.keys.isOurs(name) {
				pipe.Unlink(ctx, name)
			}
		}
		if pipe.Len() > 0 {
			if _, err := pipe.Exec(ctx); err != nil {
				return wire.StoreError(ctx, "clear", err)
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
