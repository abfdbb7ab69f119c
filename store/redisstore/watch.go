package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

const (
	// watchEvery is how often the store looks at every master: it may be another
	// one after a failover, its settings may have changed, and it may be full.
	watchEvery   = time.Second
	watchTimeout = 2 * time.Second
	// Above fullAbove percent of maxmemory, nothing new is made. What is left is
	// for what ends or changes things. Once it is below roomBelow, new things
	// are made again.
	fullAbove, roomBelow = 90, 88
)

// watch is what the store knows about its masters.
type watch struct {
	full       atomic.Pointer[error] // nil: there is room
	unsuitable atomic.Pointer[error] // nil: the settings keep records
	tooFew     atomic.Bool           // a master has too few replicas

	stop    chan struct{}
	stopped chan struct{}
	close   sync.Once
}

// startWatch looks at the masters until stopWatch.
func (s *Store) startWatch() {
	s.watch.stop, s.watch.stopped = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(s.watch.stopped)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.look(context.Background())
				s.compareClock(context.Background())
				s.beat(context.Background())
			case <-s.watch.stop:
				return
			}
		}
	}()
}

func (s *Store) stopWatch() {
	s.watch.close.Do(func() {
		if s.watch.stop != nil {
			close(s.watch.stop)
			<-s.watch.stopped
		}
	})
}

// look reads the memory, the eviction policy and the replicas of every master. It
// judges those that respond. If none does, what was known before remains.
func (s *Store) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	if s.Unconfirmed() {
		// A new replica reports how far it has come once there is something to copy.
		_ = s.Ping(ctx)
	}
	var mu sync.Mutex
	fullest, unsuitable, masters := usage{}, error(nil), []wire.Replication(nil)
	err := s.redis.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		pipe := node.Pipeline()
		memory, reply := pipe.Info(ctx, "memory"), wire.AskReplication(ctx, pipe)
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		replication, err := reply.Read()
		if err = cmp.Or(memory.Err(), err); err != nil {
			return err
		}
		info := wire.ParseInfo(memory.Val())
		mu.Lock()
		defer mu.Unlock()
		masters = append(masters, replication)
		if u := usageOf(info); u.percent() > fullest.percent() {
			fullest = u
		}
		unsuitable = errors.Join(unsuitable, checkPolicy(info))
		return nil
	})
	if len(masters) == 0 {
		return
	}
	s.sawMasters(masters)
	s.confirm(ctx, masters, err == nil)
	s.setReplicas(ctx, masters)
	s.setFull(ctx, fullest)
	s.setUnsuitable(ctx, unsuitable)
}

func (s *Store) setFull(ctx context.Context, u usage) {
	was := s.watch.full.Load() != nil
	switch percent := u.percent(); {
	case percent >= fullAbove:
		err := store.WithCause(fmt.Errorf("%w: Redis is nearly full: it uses %d of %d bytes (maxmemory): raise maxmemory or remove keys of other programs; until then, nothing new is made",
			store.ErrUnavailable, u.used, u.most), store.CauseFull)
		s.watch.full.Store(&err)
		if !was {
			s.log.WarnContext(ctx, "store: Redis is nearly full: new tokens, verifications and records are refused; raise maxmemory or make room",
				"used_memory", u.used, "maxmemory", u.most)
		}
	case was && percent < roomBelow:
		s.watch.full.Store(nil)
		s.log.InfoContext(ctx, "store: Redis has room again", "used_memory", u.used, "maxmemory", u.most)
	}
}

func (s *Store) setUnsuitable(ctx context.Context, err error) {
	was := s.watch.unsuitable.Load()
	if err == nil {
		if was != nil {
			s.watch.unsuitable.Store(nil)
			s.log.InfoContext(ctx, "store: the settings of Redis keep records again")
			s.onUnsuitable(false)
		}
		return
	}
	if was == nil || (*was).Error() != err.Error() {
		s.watch.unsuitable.Store(&err)
		s.log.WarnContext(ctx, "store: the settings of Redis would lose records", "error", err)
		s.onUnsuitable(true)
	}
}

// setReplicas reports the fewest replicas that a master has.
func (s *Store) setReplicas(ctx context.Context, masters []wire.Replication) {
	fewest, need := len(masters[0].Acked), s.replicasNeeded()
	for _, m := range masters {
		fewest = min(fewest, len(m.Acked))
	}
	s.onReplicas(fewest)
	is := fewest < need
	was := s.watch.tooFew.Swap(is)
	switch {
	case is && !was:
		s.log.WarnContext(ctx, "store: a master of Redis has fewer replicas than store.redis.replica_acks asks for: changes are in force at once, but reported as unconfirmed, and verification codes are refused; start its replicas",
			"replicas", fewest, "needed", need)
	case was && !is:
		s.log.InfoContext(ctx, "store: every master of Redis has its replicas again", "replicas", fewest)
	}
}

// room returns an error if nothing new may be made. Errors: store.ErrUnavailable.
func (s *Store) room(op string) error {
	if err := s.watch.full.Load(); err != nil {
		return fmt.Errorf("redis: %s: %w", op, *err)
	}
	return nil
}

// usage is how much memory a master uses, in bytes; most is 0 without a limit.
type usage struct{ used, most uint64 }

func usageOf(info map[string]string) usage {
	used, _ := strconv.ParseUint(info["used_memory"], 10, 64)
	buffers, _ := strconv.ParseUint(info["mem_not_counted_for_evict"], 10, 64) // for replicas and the AOF
	used -= min(used, buffers)
	most, _ := strconv.ParseUint(info["maxmemory"], 10, 64)
	return usage{used, most}
}

func (u usage) percent() float64 {
	if u.most == 0 {
		return 0
	}
	return float64(u.used) / float64(u.most) * 100
}
