package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Age makes stream entries look older by d. Their age is measured by the
// clock of Redis, which no test can move.
func (s *Store) Age(d time.Duration) {
	s.feedRetention -= d
	s.auditRetention -= d
}

// SecondFlightAt is how many have to wait for a further round trip to begin.
const SecondFlightAt = secondFlightAt

// Writes answers how many round trips of writes to the one master are under
// way, and how many writes wait for the next.
func (s *Store) Writes() (flights, waiting int) {
	b := &s.lanesOf(s.client.(*redis.Client)).writes
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flights, len(b.waiting)
}

// HookMasters puts the hook between the Cluster client and each master.
func (s *Store) HookMasters(ctx context.Context, h redis.Hook) error {
	return s.eachMaster(ctx, func(_ context.Context, node *redis.Client) error {
		node.AddHook(h)
		return nil
	})
}
