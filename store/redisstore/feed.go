package redisstore

import (
	"cmp"
	"context"
	"fmt"
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
	id, err := appendTo(ctx, s.runCritical, s.keys.feed(), s.feedRetention, s.newestSeen(), values)
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

// ReadFeed reads once without waiting, so that a lost place shows at once,
// and then in blocking reads until wait has passed. It answers ErrFeedLost,
// too, once the feed is at another master than FeedLineage last named, after a
// failover or a move of its slot: the caller has to look what that one holds,
// and to vouch for it, even where no command has failed in between.
func (s *Store) ReadFeed(ctx context.Context, after store.Position, wait time.Duration) ([]store.Entry, error) {
	end := time.Now().Add(wait)
	entries, err := s.readFeed(ctx, after, noBlock)
	for err == nil && len(entries) == 0 {
		block := min(time.Until(end), s.redis.MaxBlock())
		if block < time.Millisecond { // BLOCK 0 would be for ever
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

// awaitFeed is readFeed that ends with ctx. go-redis does not break off a
// read for a cancelled context; the read is left to end by itself, which
// maxBlock bounds, and gives its connection back whole.
func (s *Store) awaitFeed(ctx context.Context, after store.Position, block time.Duration) ([]store.Entry, error) {
	type answer struct {
		entries []store.Entry
		err     error
	}
	read := make(chan answer, 1)
	go func() {
		entries, err := s.readFeed(ctx, after, block)
		read <- answer{entries, err}
	}()
	select {
	case a := <-read:
		return a.entries, a.err
	case <-ctx.Done():
		return nil, wire.StoreError(ctx, "read feed", ctx.Err())
	}
}

// noBlock is what go-redis takes for an XREAD without BLOCK.
const noBlock = -1

// readFeed is one round trip to the master that holds the feed: the entries,
// then whether the one at after is still there, then whether this is a
// master, and the one that FeedLineage named. The order matters. Asked before
// the entries, a feed that is emptied and written to again while XREAD blocks
// would look whole; and a former master would look like one until its
// connection breaks.
//
// A pipeline has the client's plain read time-out, whatever XREAD blocks:
// hence maxBlock is half of it.
func (s *Store) readFeed(ctx context.Context, after store.Position, block time.Duration) ([]store.Entry, error) {
	key, from := s.keys.feed(), after.String()
	var read *redis.XStreamSliceCmd
	var here *redis.XMessageSliceCmd
	var info incarnation
	err := s.redis.OnMaster(ctx, key, func(node *redis.Client, asking bool) error {
		pipe := node.Pipeline()
		read = wire.Ask(ctx, pipe, asking).XRead(ctx, &redis.XReadArgs{Streams: []string{key, from}, Count: store.FeedPage, Block: block})
		here = wire.Ask(ctx, pipe, asking).XRangeN(ctx, key, from, from, 1)
		info.ask(ctx, pipe)
		_, _ = pipe.Exec(ctx) // each command keeps its own error
		if wire.IsNil(read.Err()) {
			read.SetErr(nil)
		}
		block = noBlock // elsewhere: it has waited already
		return cmp.Or(read.Err(), here.Err(), info.err())
	})
	if err != nil {
		return nil, wire.StoreError(ctx, "read feed", err)
	}
	run, err := info.run("read feed")
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
