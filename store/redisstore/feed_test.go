package redisstore_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/redisstore"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/poll"
)

func void(id string) store.Entry {
	return store.Entry{Kind: store.EntryVoid, Key: store.PrincipalClient(id), By: "system", At: time.Now()}
}

func appended(t *testing.T, s *redisstore.Store, entries ...store.Entry) store.Position {
	t.Helper()
	p, err := s.AppendFeed(within(t), entries...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type readResult struct {
	entries []store.Entry
	err     error
}

// blockedRead starts a read of the feed, and returns once Redis reports that it
// blocks.
func blockedRead(t *testing.T, ctx context.Context, s *redisstore.Store, r *redis.Client, after store.Position) <-chan readResult {
	t.Helper()
	read := make(chan readResult, 1)
	go func() {
		entries, err := s.ReadFeed(ctx, after, patience)
		read <- readResult{entries, err}
	}()
	poll.AwaitTrue(t, patience, "the read blocks", func() bool {
		return r.ClientList(ctx).Val() != "" && blocked(ctx, r) > 0
	})
	return read
}

func blocked(ctx context.Context, r *redis.Client) int {
	n, _ := strconv.Atoi(infoOf(ctx, r, "clients")["blocked_clients"])
	return n
}

func TestFeedOfARestartedRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, server.Addr)
	last := appended(t, s, void("a"), void("b"))
	before, err := s.FeedLineage(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WitnessFeed(within(t), before.Current); err != nil {
		t.Fatal(err)
	}

	server.Stop()
	if _, err := s.ReadFeed(within(t), last, 0); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("stopped: %v", err)
	}
	server.Restart() // it kept nothing
	// The pool waits a moment before it dials again.
	poll.AwaitTrue(t, patience, "the store is back", func() bool { return s.Ping(within(t)) == nil })
	if _, err := s.ReadFeed(within(t), last, 0); !errors.Is(err, store.ErrFeedLost) {
		t.Fatalf("restarted without its data: %v", err)
	}
	after, err := s.FeedLineage(within(t))
	if err != nil || after.Current == before.Current || after.Witnessed != "" {
		t.Fatalf("lineage %+v, was %+v: %v", after, before, err)
	}
}

func TestFeedOfARestartedRedisWithItsData(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, server.Addr)
	last := appended(t, s, void("a"))
	before, err := s.FeedLineage(within(t))
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Restart()
	poll.AwaitTrue(t, patience, "the store is back", func() bool { return s.Ping(within(t)) == nil })
	// It may have lost entries that this reader never saw, so a reader must
	// check the incarnation first.
	if _, err := s.ReadFeed(within(t), last, 0); !errors.Is(err, store.ErrFeedLost) {
		t.Fatalf("another incarnation: %v", err)
	}
	if after, err := s.FeedLineage(within(t)); err != nil || after.Current == before.Current {
		t.Fatalf("lineage %+v, was %+v: %v", after, before, err)
	}
	if entries, err := s.ReadFeed(within(t), last, 0); err != nil || len(entries) != 0 {
		t.Fatalf("kept feed: %v, %v", entries, err)
	}
}

func TestFeedOfAFlushedRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	last := appended(t, s, void("a"))
	ctx := within(t)

	read := blockedRead(t, ctx, s, r, last)
	r.FlushAll(ctx)
	// An entry that comes while the read still blocks would hide the loss if the
	// read checked its position only before it blocked.
	appended(t, s, void("b"))
	if a := <-read; !errors.Is(a.err, store.ErrFeedLost) {
		t.Fatalf("flushed during a read: %v, %v", a.entries, a.err)
	}
	if _, err := s.ReadFeed(ctx, last, 0); !errors.Is(err, store.ErrFeedLost) {
		t.Fatalf("flushed before a read: %v", err)
	}
}

func TestFeedConnectionKilledDuringARead(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	last := appended(t, s, void("a"))
	ctx := within(t)

	read := blockedRead(t, ctx, s, r, last)
	if n, err := r.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes").Result(); err != nil || n == 0 {
		t.Fatalf("killed %d: %v", n, err)
	}
	if a := <-read; !errors.Is(a.err, store.ErrUnavailable) {
		t.Fatalf("killed: %v, %v", a.entries, a.err)
	}
	appended(t, s, void("b"))
	if entries, err := s.ReadFeed(ctx, last, patience); err != nil || len(entries) != 1 {
		t.Fatalf("after it: %v, %v", entries, err)
	}
}

func TestFeedReadCancelled(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr, func(o *redisstore.Options) { o.ReadTimeout = patience }), raw(t, server.Addr)
	ctx, cancel := context.WithCancel(within(t))
	read := blockedRead(t, ctx, s, r, store.Position{})
	start := time.Now()
	cancel()
	a := <-read
	if !errors.Is(a.err, store.ErrUnavailable) || !errors.Is(a.err, context.Canceled) {
		t.Fatalf("cancelled: %v", a.err)
	}
	if took := time.Since(start); took > patience/4 {
		t.Fatalf("it took %v", took)
	}
}

func TestReplicaIsRefused(t *testing.T) {
	t.Parallel()
	master, server := redistest.Start(t), redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	last := appended(t, s, void("a"))
	ctx := within(t)
	if err := r.ReplicaOf(ctx, "127.0.0.1", port(t, master)).Err(); err != nil {
		t.Fatal(err)
	}
	_, appendErr := s.AppendFeed(ctx, void("b"))
	_, readErr := s.ReadFeed(ctx, last, 0)
	_, lineageErr := s.FeedLineage(ctx)
	for name, err := range map[string]error{
		"ping": s.Ping(ctx), "append feed": appendErr, "read feed": readErr, "feed lineage": lineageErr,
		"create client": s.Clients().Create(ctx, store.Client{ID: "a"}),
	} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s on a replica: %v", name, err)
		}
	}
}

// TestPositionsGrowOverALoss: a Redis that lost its data, and whose clock is
// behind, must not use a position twice.
func TestPositionsGrowOverALoss(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	ahead := store.Position{Time: uint64(time.Now().Add(time.Hour).UnixMilli()), Seq: 5}
	if err := r.XAdd(ctx, &redis.XAddArgs{Stream: "grantd:feed", ID: ahead.String(), Values: []string{"e", "{}"}}).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadFeed(ctx, store.Position{}, 0); err != nil { // it has seen the position now
		t.Fatal(err)
	}
	r.FlushAll(ctx)
	p := appended(t, s, void("a"), void("b"))
	if want := (store.Position{Time: ahead.Time, Seq: 7}); p != want {
		t.Fatalf("position %v, want %v", p, want)
	}
	if q := appended(t, s, void("c")); !q.After(p) {
		t.Fatalf("position %v after %v", q, p)
	}
}

// TestNextEntryDoesNotTrimTheReadersPosition: a reader at the newest entry keeps
// its position when the next entry comes, however old the newest one is by then.
func TestNextEntryDoesNotTrimTheReadersPosition(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--stream-node-max-entries", "1") // trimming is exact
	s, r := open(t, server.Addr), raw(t, server.Addr)
	ctx := within(t)
	first := appended(t, s, void("a"))
	place := appended(t, s, void("b"))
	s.Age(store.FeedRetention - time.Millisecond)
	poll.AwaitTrue(t, patience, "both are old", func() bool {
		return r.Time(ctx).Val().UnixMilli() > int64(place.Time)+1
	})
	appended(t, s, void("c"))
	if entries, err := s.ReadFeed(ctx, place, 0); err != nil || len(entries) != 1 {
		t.Fatalf("at the entry that was the newest: %v, %v", entries, err)
	}
	if _, err := s.ReadFeed(ctx, first, 0); !errors.Is(err, store.ErrFeedLost) {
		t.Fatalf("at the one before it: %v", err)
	}
}
