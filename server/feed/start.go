package feed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/grantd/grantd/store"
)

const (
	// witnessWait is how long a starting replica waits for another one to vouch
	// for a store that has restarted or failed over.
	witnessWait = 2 * time.Second
	// recoveryWait is how long it waits if another one has begun to recover.
	recoveryWait = time.Minute
	witnessPoll  = 100 * time.Millisecond
	appendTries  = 10
	appendPause  = 100 * time.Millisecond
	// restoredFrom is before the time of a backup, in place of a vouched incarnation,
	// in a store that was filled from it.
	restoredFrom = "restored "
)

// RestoredFrom returns what a store that was filled from a backup of the time must
// have as its witnessed lineage: the next replica to start vouches for nothing.
func RestoredFrom(madeAt time.Time) string { return restoredFrom + madeAt.UTC().Format(time.RFC3339) }

// Start loads the feed and follows it until Stop. If the feed is empty, or if no
// replica can vouch that this incarnation of the store holds all of it, Start voids
// everything that was issued before, because nobody can know what was lost.
// Errors: store.ErrUnavailable.
func (f *Feed) Start(ctx context.Context) error {
	f.recovering.Lock()
	s, lineage, err := f.load(ctx)
	f.recovering.Unlock()
	if err != nil {
		return fmt.Errorf("load feed: %w", err)
	}
	empty := s.tail.IsZero()
	if lineage.Witnessed != lineage.Current && lineage.Witnessed != "" {
		lineage, err = f.awaitWitness(ctx, lineage)
		if err != nil {
			return fmt.Errorf("load feed: %w", err)
		}
	}
	if lineage.Witnessed != lineage.Current || empty {
		var first []store.Entry
		if lineage.Witnessed != "" || !empty {
			f.o.Log.WarnContext(ctx, "feed: the store restarted while no grantd was watching, so revocations may be lost: every token issued before is void")
			loss := Loss{Cause: store.Unwitnessed, Incarnation: lineage.Current, LastKnown: s.newest}
			if text, is := strings.CutPrefix(lineage.Witnessed, restoredFrom); is {
				loss.LastKnown, _ = time.Parse(time.RFC3339, text)
			}
			if first, err = f.repair(ctx, loss); err != nil {
				return fmt.Errorf("hold records back: %w", err)
			}
		}
		all := store.Entry{Kind: store.EntryVoid, Key: store.PrincipalAll, By: bySystem, At: f.o.Now().UTC()}
		if err := f.appendFirst(ctx, append(first, all)...); err != nil {
			return fmt.Errorf("begin feed: %w", err)
		}
	}
	if err := f.recover(ctx); err != nil {
		return err
	}
	f.follows = true
	go f.follow(f.life)
	return nil
}

// appendFirst appends the first entries, and tries again for a second: a replica of
// the store that has just started may be slow to acknowledge it.
func (f *Feed) appendFirst(ctx context.Context, entries ...store.Entry) (err error) {
	for range appendTries {
		if _, err = f.o.Store.AppendFeed(ctx, entries...); !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		sleep(ctx, appendPause)
	}
	return err
}

// Stop ends the follower and waits for it to return.
func (f *Feed) Stop() {
	f.stop()
	if f.follows {
		<-f.done
	}
}

// awaitWitness waits until another replica vouches for the current incarnation,
// for witnessWait at most, or for recoveryWait while another one recovers.
func (f *Feed) awaitWitness(ctx context.Context, l store.Lineage) (store.Lineage, error) {
	begun, wait := time.Now(), witnessWait
	for time.Since(begun) < wait && l.Witnessed != l.Current && ctx.Err() == nil {
		if isRecovering(l) {
			wait = recoveryWait
		}
		sleep(ctx, witnessPoll)
		var err error
		if l, err = f.o.Store.FeedLineage(ctx); err != nil {
			return l, err
		}
	}
	return l, nil
}
