package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// witnessWait is how long a starting replica waits for another one to vouch
	// for a store that has restarted or failed over.
	witnessWait = 2 * time.Second
	witnessPoll = 100 * time.Millisecond
	bySystem    = "system"
	appendTries = 10
)

// Start loads the feed and follows it until Stop. If the feed is empty, or if no
// replica can vouch that this incarnation of the store holds all of it, Start voids
// everything that was issued before, because nobody can know what was lost.
// Errors: store.ErrUnavailable.
func (f *Feed) Start(ctx context.Context) error {
	s, lineage, err := f.load(ctx)
	if err != nil {
		return fmt.Errorf("load feed: %w", err)
	}
	if lineage.Witnessed != lineage.Current && lineage.Witnessed != "" {
		lineage, err = f.awaitWitness(ctx, lineage)
		if err != nil {
			return fmt.Errorf("load feed: %w", err)
		}
	}
	if lineage.Witnessed != lineage.Current || s.tail.IsZero() {
		if lineage.Witnessed != "" {
			f.o.Log.WarnContext(ctx, "feed: the store restarted while no grantd was watching, so revocations may be lost: every token issued before is void")
		}
		all := store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, By: bySystem, At: f.o.Now().UTC()}
		if err := f.appendFirst(ctx, all); err != nil {
			return fmt.Errorf("begin feed: %w", err)
		}
	}
	if err := f.recover(ctx); err != nil {
		return err
	}
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	go f.follow(ctx)
	return nil
}

// appendFirst appends the first entry, and tries again for a second: a replica of
// the store that has just started may be slow to acknowledge it.
func (f *Feed) appendFirst(ctx context.Context, e store.Entry) (err error) {
	for range appendTries {
		if _, err = f.o.Store.AppendFeed(ctx, e); !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		sleep(ctx, retryAfter)
	}
	return err
}

// Stop ends the follower and waits for it to return.
func (f *Feed) Stop() {
	if f.stop != nil {
		f.stop()
		<-f.done
	}
}

// awaitWitness waits until another replica vouches for the current incarnation,
// for witnessWait at most.
func (f *Feed) awaitWitness(ctx context.Context, l store.Lineage) (store.Lineage, error) {
	for end := time.Now().Add(witnessWait); time.Now().Before(end) && l.Witnessed != l.Current; {
		sleep(ctx, witnessPoll)
		var err error
		if l, err = f.o.Store.FeedLineage(ctx); err != nil {
			return l, err
		}
	}
	return l, nil
}

// verify recovers if the store's incarnation is not the one that this replica
// vouched for.
func (f *Feed) verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	l, err := f.o.Store.FeedLineage(ctx)
	if err != nil {
		return err
	}
	f.recovering.Lock()
	same := l.Current == f.lineage
	f.recovering.Unlock()
	if same {
		return nil
	}
	return f.recoverNow()
}

// recover makes the store's feed and this copy the same again; nothing is fresh
// until it is done. It appends again the entries that are known here and that
// the store lost. With their new positions they void a little more than before,
// never less.
func (f *Feed) recover(ctx context.Context) error {
	f.recovering.Lock()
	defer f.recovering.Unlock()
	f.lost.Store(true)
	s, lineage, err := f.load(ctx)
	if err != nil {
		return fmt.Errorf("reload feed: %w", err)
	}
	if lost := f.findLost(s, f.o.Now()); len(lost) > 0 {
		f.o.Log.WarnContext(ctx, "feed: the store lost entries; writing them back", "entries", len(lost))
		for page := range slices.Chunk(lost, store.FeedPage) {
			if _, err := f.o.Store.AppendFeed(ctx, page...); err != nil {
				return fmt.Errorf("write back feed: %w", err)
			}
		}
		if s, lineage, err = f.load(ctx); err != nil {
			return fmt.Errorf("reload feed: %w", err)
		}
	}
	if f.o.Restore != nil {
		if err := f.o.Restore(ctx); err != nil {
			return fmt.Errorf("restore store: %w", err)
		}
	}
	if err := f.o.Store.WitnessFeed(ctx, lineage.Current); err != nil {
		return fmt.Errorf("vouch for feed: %w", err)
	}
	sent := time.Since(f.start)
	f.replace(s)
	f.lineage = lineage.Current
	f.lost.Store(false)
	f.o.Log.InfoContext(ctx, "feed: loaded", "position", s.tail.String(), "entries", len(s.positions))
	return f.readAfterRecover(ctx, sent)
}

// readAfterRecover applies the entries that were appended while the feed was
// loaded.
func (f *Feed) readAfterRecover(ctx context.Context, sent time.Duration) error {
	entries, err := f.o.Store.ReadFeed(ctx, f.Position(), 0)
	if err != nil {
		return fmt.Errorf("read feed: %w", err)
	}
	f.apply(entries)
	if len(entries) < store.FeedPage {
		f.confirm(sent)
	}
	return nil
}

// load reads the whole feed, and the incarnation of the store before that.
func (f *Feed) load(ctx context.Context) (*state, store.Lineage, error) {
	lineage, err := f.o.Store.FeedLineage(ctx)
	if err != nil {
		return nil, lineage, err
	}
	s := newState()
	for {
		entries, err := f.o.Store.ReadFeed(ctx, s.tail, 0)
		if err != nil {
			return nil, lineage, err
		}
		s.add(entries)
		if len(entries) < store.FeedPage {
			return s, lineage, nil
		}
	}
}
