package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// longestWait bounds one blocking read (design §3).
	longestWait = 400 * time.Millisecond
	// readTimeout bounds what a read takes besides waiting, and how long a
	// request waits for one. A store of this machine's own answers or fails;
	// there it is the machine that stands still.
	readTimeout    = time.Second
	ownReadTimeout = 5 * time.Second
	// recoverTimeout bounds reading the whole feed again.
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
		doubt = !f.step(ctx, doubt)
	}
}

// step reads once, or after a failure looks whether the store is another
// incarnation now: the connection is another one, and only who has looked can
// vouch for the store to replicas that start later. So the look is repeated
// until it succeeds; requests read for themselves in the meantime.
func (f *Feed) step(ctx context.Context, doubt bool) (ok bool) {
	if !doubt {
		err := f.read(ctx, f.wait())
		if err != nil && ctx.Err() == nil {
			f.o.Log.WarnContext(ctx, "feed: read failed", "error", err)
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

// wait leaves room for two reads within MaxStaleness.
func (f *Feed) wait() time.Duration {
	return min(longestWait, f.o.MaxStaleness*2/5)
}

func (f *Feed) patience() time.Duration {
	if f.o.Shared {
		return readTimeout
	}
	return ownReadTimeout
}

// read applies what is new, waiting up to wait for it, and confirms the copy
// as of the sending of the read if that brought it to the end.
func (f *Feed) read(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait+f.patience())
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

func (f *Feed) confirm(sent time.Duration) {
	for {
		old := f.confirmed.Load()
		if int64(sent) <= old || f.confirmed.CompareAndSwap(old, int64(sent)) {
			return
		}
	}
}

// catchUp reads to the end of the feed without waiting for entries. All who
// ask at the same time share one read, which ends by its own deadline; each
// waits by its own, and for patience at most.
func (f *Feed) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.patience())
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

// recoverNow is recover with its own time: a long feed is not given up when
// the read that found the loss would be.
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
