package redisstore

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store/redisstore/wire"
)

// unconfirmed is up to where the masters hold changes that too few replicas have.
// A replica that has a place in the stream of its master has everything before
// it too.
type unconfirmed struct {
	any atomic.Bool

	mu    sync.Mutex
	since time.Time              // of the oldest; the zero time if there is none
	upTo  map[string]wire.Place  // by run id of the master
	told  func(unconfirmed bool) // when that changes
}

// Unconfirmed reports whether a change of this process is in force, but on too
// few replicas of Redis. It gets confirmed by itself (confirm).
func (s *Store) Unconfirmed() bool { return s.unconfirmed.any.Load() }

// runChange runs a script for what operators change and what ends something. It
// succeeds once the master has the change. If too few replicas have it, the store
// is Unconfirmed from then on. Until the replicas are back, further changes do not
// wait for them: a call may make many.
func (s *Store) runChange(ctx context.Context, replicas int, sc wire.Script, key string, args ...any) *redis.Cmd {
	need := wire.Ack{Replicas: replicas, NoWait: s.Unconfirmed() && s.watch.tooFew.Load()}
	cmd := s.redis.RunAcked(ctx, need, sc, key, args...)
	var unacked *wire.Unacked
	if errors.As(cmd.Err(), &unacked) {
		cmd.SetErr(nil)
		s.unconfirmed.add(unacked.At)
	}
	return cmd
}

func (u *unconfirmed) add(at wire.Place) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.extend(at)
	if u.since.IsZero() {
		u.since = time.Now()
	}
	u.update()
}

func (u *unconfirmed) extend(at wire.Place) {
	if u.upTo == nil {
		u.upTo = map[string]wire.Place{}
	}
	if old, ok := u.upTo[at.Run]; !ok || old.Offset < at.Offset {
		u.upTo[at.Run] = at
	}
}

// update sets what follows from upTo.
func (u *unconfirmed) update() {
	is := len(u.upTo) > 0
	if u.any.Swap(is) != is {
		u.told(is)
	}
	if !is {
		u.since = time.Time{}
	}
}

// confirm removes what enough replicas have by now, and what has gone with its
// master. The masters are all there are if complete.
func (u *unconfirmed) confirm(masters []wire.Replication, replicas int, complete bool) (confirmed, lost bool, since time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	since = u.since
	for run, at := range maps.Clone(u.upTo) {
		on, found := holder(masters, at)
		switch {
		case !found && complete:
			lost = true
		case !found:
			continue // its master may respond next time
		}
		delete(u.upTo, run)
		if found && !on.Has(at, replicas) {
			u.extend(wire.Place{Run: on.Run, History: on.History, Offset: at.Offset})
		}
	}
	confirmed = u.any.Load() && len(u.upTo) == 0
	u.update()
	return confirmed, lost, since
}

// holder returns the master that has the place: the one that wrote it, or a
// promoted replica that had it.
func holder(masters []wire.Replication, at wire.Place) (wire.Replication, bool) {
	for _, m := range masters {
		if m.Run == at.Run || m.Before == at.History && at.Offset <= m.BeforeUntil {
			return m, true
		}
	}
	return wire.Replication{}, false
}

// confirm compares what the masters say with what is unconfirmed, and logs what
// has become of it.
func (s *Store) confirm(ctx context.Context, masters []wire.Replication, complete bool) {
	if !s.Unconfirmed() {
		return
	}
	confirmed, lost, since := s.unconfirmed.confirm(masters, s.replicasNeeded(), complete)
	if lost {
		s.log.ErrorContext(ctx, "store: Redis failed over or restarted before a replica had the newest changes: they may be lost; look in the audit for changes with the outcome unconfirmed, and repeat them", "since", since.UTC())
	} else if confirmed {
		s.log.InfoContext(ctx, "store: enough replicas of Redis have every change again", "since", since.UTC())
	}
}

// replicasNeeded returns how many replicas must have a change.
func (s *Store) replicasNeeded() int { return max(s.acks.Critical, s.acks.Tokens) }
