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
	pruneEvery     = time.Minute
	// clockEvery is how often a replica whose store is not shared looks at the
	// clock.
	clockEvery = time.Second
)

// follow keeps the copy fresh until ctx ends.
func (f *Feed) follow(ctx context.Context) {
	defer close(f.done)
	pruned := time.Now()
	doubt := false
	for ctx.Err() == nil {
		if f.clock.SetBack() {
			f.reload(ctx)
		}
		if time.Since(pruned) > pruneEvery {
			f.prune()
			pruned = time.Now()
		}
		if !f.o.Shared {
			sleep(ctx, clockEvery)
			continue
		}
		doubt = !f.readOrVerify(ctx, doubt)
	}
}

// reload reads the whole feed again after the clock was set back: what prune
// dropped may not have expired. Until it succeeds, nothing is fresh.
func (f *Feed) reload(ctx context.Context) {
	f.o.Log.WarnContext(ctx, "feed: the clock was set back; reading the feed again")
	f.lost.Store(true)
	f.ended(ctx, f.recover(ctx))
}

// readOrVerify reads once. After a failure it checks instead whether the store
// is another incarnation now, and repeats that check until it succeeds: the
// connection may lead to another server, and a replica must have checked before
// it vouches for the store to replicas that start later. Meanwhile, requests
// read the tail themselves.
func (f *Feed) readOrVerify(ctx context.Context, doubt bool) (ok bool) {
	var err error
	if doubt {
		err = f.verify(ctx)
	} else {
		err = f.read(ctx, f.followWait())
	}
	if err != nil || !doubt { // a store that can be reached may still refuse to be read
		f.ended(ctx, err)
	}
	for left, _ := f.pause.left(); err != nil && left > 0 && ctx.Err() == nil; left, _ = f.pause.left() {
		sleep(ctx, left)
	}
	return err == nil
}

// ended records how a round ended. A failed one begins a pause.
func (f *Feed) ended(ctx context.Context, err error) {
	switch {
	case err == nil:
		f.pause.end()
		f.trouble.Worked(ctx)
	case f.life.Err() == nil:
		f.pause.failed(err)
		f.trouble.Failed(ctx, err)
	}
}

// followWait returns how long a read of the follower waits for entries: short
// enough for two reads within MaxStaleness.
func (f *Feed) followWait() time.Duration {
	wait := min(longestWait, f.o.MaxStaleness*2/5)
	if f.hasten.Load() {
		wait /= 2
	}
	return wait
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
			return f.recover(f.life)
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
		if int64(sent) <= old {
			return
		}
		if f.confirmed.CompareAndSwap(old, int64(sent)) {
			f.passConfirmed()
			return
		}
	}
}

// catchUp reads to the end of the feed without waiting for entries. Callers at
// the same time share one read, which has its own deadline. A caller may join a
// read that is under way, so it waits less than with server/coalesce. Fresh
// checks when the read was sent, and reads again if that was too long ago. Each
// caller waits until its context ends, and at most as long as a read may take. In
// a pause after a failure it gets the error of that failure, or waits for the end
// of the pause if that is near.
func (f *Feed) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout())
	defer cancel()
	result := f.flight.DoChan("tail", func() (any, error) {
		left, err := f.pause.left()
		if left > shortestPause {
			return nil, err
		}
		sleep(f.life, left)
		if f.lost.Load() {
			err = f.recover(f.life)
		} else {
			err = f.read(f.life, 0)
		}
		f.ended(f.life, err)
		return nil, err
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
