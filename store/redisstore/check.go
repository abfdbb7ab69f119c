package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// The oldest Redis that has XADD MINID and exclusive ranges.
const oldestMajor, oldestMinor = 6, 2

// checkNode returns an error for a master whose version or settings would lose
// records. Errors: store.ErrUnavailable, store.ErrUnsuitable.
func checkNode(ctx context.Context, node *redis.Client, mode Mode) error {
	info, err := nodeInfo(ctx, node)
	if err != nil {
		return err
	}
	var major, minor int
	if _, err := fmt.Sscanf(info["redis_version"], "%d.%d", &major, &minor); err != nil ||
		major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return fmt.Errorf("redis: %w: its version is %q, but grantd needs %d.%d or later: upgrade Redis",
			store.ErrUnsuitable, info["redis_version"], oldestMajor, oldestMinor)
	}
	if mode != ModeCluster && info["redis_mode"] == "cluster" {
		return fmt.Errorf("redis: %w: it is a node of a Cluster: set store.redis.mode to cluster", store.ErrUnsuitable)
	}
	return checkPolicy(info)
}

// checkPolicy returns an error for a master that drops keys when it is full.
// Errors: store.ErrUnsuitable.
func checkPolicy(info map[string]string) error {
	if policy := info["maxmemory_policy"]; policy != "noeviction" {
		return fmt.Errorf("redis: %w: maxmemory-policy is %q, which may drop tokens, clients and voids: "+
			"run `CONFIG SET maxmemory-policy noeviction` and put it into redis.conf", store.ErrUnsuitable, policy)
	}
	return nil
}

// appendsNothing reports whether the master writes no append-only file. It then keeps
// at most what its last snapshot has. Whether there are snapshots, only CONFIG GET
// tells, which also tells secrets: the account of grantd does not need that right.
func appendsNothing(ctx context.Context, node *redis.Client) bool {
	text, err := node.Info(ctx, "persistence").Result()
	return err == nil && wire.ParseInfo(text)["aof_enabled"] == "0"
}

// nodeInfo returns the fields of a node's INFO.
func nodeInfo(ctx context.Context, node *redis.Client) (map[string]string, error) {
	var text string
	err := wire.Retry(ctx, func() (err error) {
		text, err = node.Info(ctx).Result()
		return err
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "info", err)
	}
	return wire.ParseInfo(text), nil
}
