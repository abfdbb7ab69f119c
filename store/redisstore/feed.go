package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore/wire"
)

// AppendFeed appends the entries in one atomic step.
func (s *Store) AppendFeed(ctx context.Context, entries ...store.Entry) (store.Position, error) {
	if len(entries) == 0 {
		return store.Position{}, nil
	}
	values := make([][]byte, len(entries))
	for i, e := range entries {
		var err error
		if values[i], err = store.MarshalEntry(e); err != nil {
			return store.Position{}, fmt.Errorf("append feed: %w", err)
		}
	}
	id, err := s.appendTo(ctx, s.newestSeen(), values)
	if err != nil {
		return store.Position{}, wire.StoreError(ctx, "append feed", err)
	}
	p, err := store.ParsePosition(id)
	if err != nil {
		return store.Position{}, fmt.Errorf("append feed: %w", err)
	}
	s.seen(p)
	return p, nil
}

// ReadFeed reads once without waiting, so that a lost position shows at once,
// and then with blocking reads until wait has passed. It also returns
// ErrFeedLost once the feed is at another master than FeedLineage last returned,
// after a failover or a move of its slot. The caller must then check what that
// master holds and witness it, even if no command has failed in between.
func (s *Store) ReadFeed(ctx context.Context, after store.Position, wait time.Duration) ([]store.Entry, error) {
	end := time.Now().Add(wait)
	entries, err := s.readFeed(ctx, after, noBlock)
	for err == nil && len(entries) == 0 {
		block := min(time.Until(end), s.redis.MaxBlock())
		if block < time.Millisecond { // BLOCK 0 would wait forever
			break
		}
		entries, err = s.awaitFeed(ctx, after, block)
	}
	if err != nil {
		return nil, err
	}
	if n := len(entries); n > 0 {
		s.seen(entries[n-1].Position)
	}
	return entries, nil
}

// awaitFeed is readFeed, but returns when ctx ends. go-redis does not interrupt
// a read for a canceled context. The read ends by itself within MaxBlock and
// returns its connection to the pool intact.
func (s *Store) awaitFeed(ctx context.Context, after store.Position, block time.Duration) ([]store.Entry, error) {
	type result struct {
		entries []store.Entry
		err     error
	}
	read := make(chan result, 1)
	go func() {
		entries, err := s.readFeed(ctx, after, block)
		read <- result{entries, err}
	}()
	select {
	case r := <-read:
		return r.entries, r.err
	case <-ctx.Done():
		return nil, wire.StoreError(ctx, "read feed", ctx.Err())
	}
}

// noBlock makes go-redis send XREAD without BLOCK.
const noBlock = -1

// readFeed makes one round trip to the master that holds the feed. It reads the
// entries, then whether the one at after is still there, then whether this is a
// master and the one that FeedLineage returned. The order matters. If it checked
// before it read the entries, a feed that is emptied and written to again while
// XREAD blocks would look complete, and a former master would look like one
// until its connection breaks.
func (s *Store) readFeed(ctx context.Context, after store.Position, block time.Duration) ([]store.Entry, error) {
	key, from := s.keys.feed(), after.String()
	var read *redis.XStreamSliceCmd
	var here *redis.XMessageSliceCmd
	var info wire.ReplicationReply
	err := s.redis.OnMaster(ctx, key, func(node *redis.Client, asking bool) error {
		pipe := node.Pipeline()
		read = wire.Ask(ctx, pipe, asking).XRead(ctx, &redis.XReadArgs{Streams: []string{key, from}, Count: store.FeedPage, Block: block})
		here = wire.Ask(ctx, pipe, asking).XRangeN(ctx, key, from, from, 1)
		info = wire.AskReplication(ctx, pipe)
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		if wire.IsNil(read.Err()) {
			read.SetErr(nil)
		}
		block = noBlock // if it is redirected: it has waited already
		return cmp.Or(read.Err(), here.Err(), info.Err())
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "read feed", err)
	}
	run, err := masterRun(info, "read feed")
	if err != nil {
		return nil, err
	}
	if !after.IsZero() && len(here.Val()) == 0 || !s.isIncarnation(run) {
		return nil, fmt.Errorf("read feed after %s: %w", after, store.ErrFeedLost)
	}
	return feedEntries(read.Val())
}

func feedEntries(streams []redis.XStream) ([]store.Entry, error) {
	var entries []store.Entry
	for _, stream := range streams {
		entries = slices.Grow(entries, len(stream.Messages))
		for _, m := range stream.Messages {
			p, err := store.ParsePosition(m.ID)
			if err != nil {
				return nil, fmt.Errorf("read feed: %w", err)
			}
			entries = append(entries, store.UnmarshalEntry(entryValue(m), p))
		}
	}
	return entries, nil
}

func (s *Store) newestSeen() store.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

func (s *Store) seen(p store.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.After(s.newest) {
		s.newest = p
	}
}
