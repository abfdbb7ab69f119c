package feed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// recovering is before the incarnation, in place of a vouched one, while a
	// replica that knows the feed recovers.
	recovering = "recovering "
	bySystem   = "system"
	// loadTimeout bounds each round trip of a recovery. There is no bound for
	// all of them: the feed may be long.
	loadTimeout = 10 * time.Second
	// longFeed is how many entries are so many that reading them leaves much
	// memory behind.
	longFeed = 50_000
	// writePage is how many entries are written back at once.
	writePage = 1000
	// writeTries is how often entries are written back until they all are there.
	writeTries = 5
)

// verify recovers if the store's incarnation is not the one that this replica
// vouched for.
func (f *Feed) verify(ctx context.Context) error {
	trip, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	l, err := f.o.Store.FeedLineage(trip)
	if err != nil {
		return err
	}
	f.recovering.Lock()
	same := l.Current == f.lineage
	f.recovering.Unlock()
	if same {
		return nil
	}
	return f.recover(ctx)
}

// recover makes the store's feed and this copy the same again; nothing is fresh
// until it is done. It appends again the entries that are known here and that
// the store lost. With their new positions they void a little more than before,
// never less. If it fails, the next call goes on with what this one has read.
func (f *Feed) recover(ctx context.Context) error { return f.recoverAfter(ctx, f.recoveries.Load()) }

// recoverAfter is recover for a caller that knows of so many recoveries. If there
// was another one while it waited, it has nothing to do: the next read finds what
// was lost since.
func (f *Feed) recoverAfter(ctx context.Context, known uint64) error {
	f.recovering.Lock()
	defer f.recovering.Unlock()
	if f.recoveries.Load() != known {
		return nil
	}
	f.lost.Store(true)
	s, lineage, err := f.load(ctx)
	if err != nil {
		return fmt.Errorf("reload feed: %w", err)
	}
	// What is written back may go to a store that is replaced meanwhile, so it is
	// compared again until nothing is missing.
	if err := f.announceRecovery(ctx, lineage); err != nil {
		return fmt.Errorf("announce recovery: %w", err)
	}
	loss := Loss{Cause: f.causeOf(s, lineage), Incarnation: lineage.Current, LastKnown: written(&s.shared), Hold: f.Hold()}
	var repaired []store.Entry
	for try := 0; ; try++ {
		lost := f.findLost(s, f.clock.Now())
		if try == 0 || lost.len() > 0 { // records first, then the feed
			loss.Entries, loss.Records = lost.len(), lost.records
			repaired = append(repaired, lost.records...)
			told, err := f.repair(ctx, loss)
			if err != nil {
				return fmt.Errorf("repair records: %w", err)
			}
			lost.others = append(lost.others, told...)
		}
		if lost.len() == 0 {
			break
		}
		if try == writeTries {
			return fmt.Errorf("write back feed: entries are missing again and again: %w", store.ErrUnavailable)
		}
		if s, lineage, err = f.writeBack(ctx, lost); err != nil {
			return err
		}
	}
	if f.o.Restore != nil {
		if err := f.trip(ctx, f.o.Restore); err != nil {
			return fmt.Errorf("restore store: %w", err)
		}
	}
	if gone := deletedMeanwhile(repaired, s); len(gone) > 0 {
		if _, err := f.repair(ctx, Loss{Records: gone, Incarnation: lineage.Current, LastKnown: loss.LastKnown}); err != nil {
			return fmt.Errorf("repair records: %w", err)
		}
	}
	if err := f.loadHold(ctx, s); err != nil {
		return fmt.Errorf("read hold: %w", err)
	}
	if err := f.trip(ctx, func(ctx context.Context) error { return f.o.Store.WitnessFeed(ctx, lineage.Current) }); err != nil {
		return fmt.Errorf("vouch for feed: %w", err)
	}
	sent := time.Since(f.start)
	f.replace(s)
	f.lineage, f.loading, f.lossKnown = lineage.Current, nil, false
	f.recoveries.Add(1)
	f.lost.Store(false)
	if s.read > longFeed {
		debug.FreeOSMemory() // reading takes several times what is kept
	}
	f.o.Log.InfoContext(ctx, "feed: loaded", "position", s.tail.String(), "entries", s.read)
	return f.readAfterRecover(ctx, sent)
}

// announceRecovery tells replicas that start meanwhile that this one knows the feed
// and is about to vouch for the incarnation.
func (f *Feed) announceRecovery(ctx context.Context, l store.Lineage) error {
	if f.Position().IsZero() || l.Witnessed == l.Current || isRecovering(l) {
		return nil
	}
	return f.trip(ctx, func(ctx context.Context) error { return f.o.Store.WitnessFeed(ctx, recovering+l.Current) })
}

// isRecovering reports whether a replica that knows the feed has begun to recover in
// this incarnation. A store may keep only the first part of what was witnessed.
func isRecovering(l store.Lineage) bool {
	return len(l.Witnessed) > len(recovering) && strings.HasPrefix(recovering+l.Current, l.Witnessed)
}

// loadHold reads the hold. A later one is an entry after those of s.
func (f *Feed) loadHold(ctx context.Context, s *state) error {
	if f.o.Holds == nil {
		return nil
	}
	return f.trip(ctx, func(ctx context.Context) error {
		h, err := f.o.Holds.Get(ctx, store.HoldID)
		if errors.Is(err, store.ErrNotFound) {
			s.hold = f.Hold() // a store that lost it does not lift it
			return nil
		}
		if errors.Is(err, store.ErrUnknownRecord) { // it cannot be read: it may cover anything
			f.o.Log.ErrorContext(ctx, "feed: the store's hold cannot be read: every record is held back", "error", err)
			s.hold = &store.Hold{ID: store.HoldID, Number: math.MaxUint64}
			return nil
		}
		if err == nil {
			s.hold = &h
		}
		return err
	})
}

// writeBack appends the entries that the store lost, and loads the feed again.
func (f *Feed) writeBack(ctx context.Context, lost *lostEntries) (*state, store.Lineage, error) {
	if !f.lossKnown {
		f.lossKnown = true
		f.o.Log.WarnContext(ctx, "feed: the store lost entries; writing them back", "entries", lost.len())
	}
	for page := range lost.pages(f) {
		if err := f.trip(ctx, func(ctx context.Context) error {
			_, err := f.o.Store.AppendFeed(ctx, page...)
			return err
		}); err != nil {
			return nil, store.Lineage{}, fmt.Errorf("write back feed: %w", err)
		}
	}
	s, lineage, err := f.load(ctx)
	if err != nil {
		return nil, lineage, fmt.Errorf("reload feed: %w", err)
	}
	return s, lineage, nil
}

// readAfterRecover applies the entries that were appended while the feed was
// loaded.
func (f *Feed) readAfterRecover(ctx context.Context, sent time.Duration) error {
	entries, err := f.readPage(ctx, f.Position())
	if err != nil {
		return fmt.Errorf("read feed: %w", err)
	}
	f.apply(entries)
	if len(entries) < store.FeedPage {
		f.confirm(sent)
	}
	return nil
}

// load reads the whole feed, and the incarnation of the store before that. What
// an earlier call has read from the same incarnation is not read again: as long
// as its newest entry is there, nothing before it was lost.
func (f *Feed) load(ctx context.Context) (s *state, lineage store.Lineage, err error) {
	err = f.trip(ctx, func(ctx context.Context) (err error) {
		lineage, err = f.o.Store.FeedLineage(ctx)
		return err
	})
	if err != nil {
		return nil, lineage, err
	}
	if f.loading == nil || f.loadingOf != lineage.Current {
		f.loading, f.loadingOf = newState(), lineage.Current
		f.loading.bound = f.Position()
	}
	for {
		entries, err := f.readPage(ctx, f.loading.tail)
		if errors.Is(err, store.ErrFeedLost) {
			f.loading = nil
		}
		if err != nil {
			return nil, lineage, err
		}
		f.loading.add(entries)
		if len(entries) < store.FeedPage {
			return f.loading, lineage, nil
		}
	}
}

func (f *Feed) readPage(ctx context.Context, after store.Position) (entries []store.Entry, err error) {
	err = f.trip(ctx, func(ctx context.Context) (err error) {
		entries, err = f.o.Store.ReadFeed(ctx, after, 0)
		return err
	})
	return entries, err
}

// trip calls do, which makes a few round trips, with a bound on its time.
func (f *Feed) trip(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	return do(ctx)
}
