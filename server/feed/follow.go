package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// longestWait is the longest time that one read waits for entries.
	longestWait = 400 * time.Millisecond
	// readTimeout is how long a read may take besides waiting for entries, and
	// how long a request waits for a read. The embedded store succeeds or fails
	// at once, unless the whole machine is stalled: ownReadTimeout is for that.
	readTimeout    = time.Second
	ownReadTimeout = 5 * time.Second
	// recoverTimeout is how long a recovery may take, which reads the whole feed.
	recoverTimeout = 30 * time.Second
	pruneEvery     = time.Minute
	retryAfter     = 100 * time.Millisecond
)

// follow keeps the copy fresh until ctx ends.
func (f *Feed) follow(ctx context.Context) {
	defer close(f.done)
	pruned := time.Now()
	doubt := false
	for ctx.Err() == nil {
		if time.Since(pruned) > pruneEvery {
			f.prune()
			pruned = time.Now()
		}
		if !f.o.Shared {
			sleep(ctx, pruneEvery)
			continue
		}
		doubt = !f.readOrVerify(ctx, doubt)
	}
}

// readOrVerify reads once. After a failure it checks instead whether the store
// is another incarnation now, and repeats that check until it succeeds: the
// connection may lead to another server, and a replica must have checked before
// it vouches for the store to replicas that start later. Meanwhile, requests
// read the tail themselves. Each failure is followed by a pause: a store that
// refuses at once must not keep a core busy and fill the log.
func (f *Feed) readOrVerify(ctx context.Context, doubt bool) (ok bool) {
	if !doubt {
		err := f.read(ctx, f.followWait())
		if err != nil && ctx.Err() == nil {
			f.o.Log.WarnContext(ctx, "feed: read failed", "error", err)
			sleep(ctx, retryAfter)
		}
		return err == nil
	}
	err := f.verify(ctx)
	if err != nil && ctx.Err() == nil {
		f.o.Log.DebugContext(ctx, "feed: store not reached", "error", err)
		sleep(ctx, retryAfter)
	}
	return err == nil
}

// followWait returns how long a read of the follower waits for entries: short
// enough for two reads within MaxStaleness.
func (f *Feed) followWait() time.Duration {
	return min(longestWait, f.o.MaxStaleness*2/5)
}

// timeout returns how long a read may take besides waiting for entries.
func (f *Feed) timeout() time.Duration {
	if f.o.Shared {
		return readTimeout
	}
	return ownReadTimeout
}

// read applies new entries. If there are none, it waits for them, up to wait.
// If it reaches the end of the feed, it confirms the copy as of the time when
// the last read was sent.
func (f *Feed) read(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait+f.timeout())
	defer cancel()
	for {
		sent := time.Since(f.start)
		entries, err := f.o.Store.ReadFeed(ctx, f.Position(), wait)
		if errors.Is(err, store.ErrFeedLost) {
			return f.recoverNow()
		}
		if err != nil {
			return err
		}
		f.apply(entries)
		if len(entries) < store.FeedPage {
			f.confirm(sent)
			return nil
		}
	}
}

// confirm records that a read which was sent then reached the end of the feed.
func (f *Feed) confirm(sent time.Duration) {
	for {
		old := f.confirmed.Load()
		if int64(sent) <= old || f.confirmed.CompareAndSwap(old, int64(sent)) {
			return
		}
	}
}

// catchUp reads to the end of the feed without waiting for entries. Callers at
// the same time share one read, which has its own deadline. A caller may join a
// read that is under way, so it waits less than with server/coalesce. Fresh
// checks when the read was sent, and reads again if that was too long ago. Each
// caller waits until its context ends, and at most as long as a read may take.
func (f *Feed) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout())
	defer cancel()
	result := f.flight.DoChan("tail", func() (any, error) {
		if f.lost.Load() {
			return nil, f.recoverNow()
		}
		return nil, f.read(context.Background(), 0)
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// recoverNow calls recover with its own deadline, because reading a long feed takes
// longer than the read that found the loss may take.
func (f *Feed) recoverNow() error {
	ctx, cancel := context.WithTimeout(context.Background(), recoverTimeout)
	defer cancel()
	return f.recover(ctx)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
