package backup

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

const (
	// unfinished is before the environment in the stamp of a store that is not
	// complete: no grantd starts with it.
	unfinished = "unfinished copy of "
	// marker is the key of the entries that a copy appends to the feed, for their
	// positions.
	marker = "store"
)

// ErrNotEmpty means that the store to be filled has something in it.
var ErrNotEmpty = errors.New("the store is not empty")

// CheckEmpty returns an error if the store has something in it. Errors: ErrNotEmpty.
func CheckEmpty(ctx context.Context, s store.Store) error {
	stamp, err := s.ReadStamp(ctx)
	if err == nil {
		return fmt.Errorf("%w: it belongs to environment %q and issuer %q", ErrNotEmpty, stamp.Environment, stamp.Issuer)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, section := range store.Sections() {
		if section == store.SectionTokens || section == store.SectionChallenges || section == store.SectionGuesses {
			continue // they would have to be searched for, and a grantd that made them has left others
		}
		items, _, err := s.Dump(ctx, section, "", 2)
		if err != nil {
			return err
		}
		if len(items) > 0 {
			return fmt.Errorf("%w: it has %s", ErrNotEmpty, section)
		}
	}
	entries, err := s.ReadFeed(ctx, store.Position{}, 0)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%w: it has a feed", ErrNotEmpty)
	}
	return err
}

// Restore fills the empty store from a file that Verify accepts. The positions of
// the feed begin after that of the file. When it returns, the store is as one that
// came back older: everything that was issued before is void at the next start.
// Errors: ErrFile, store.ErrUnavailable.
func Restore(ctx context.Context, s store.Store, r io.Reader, o Options) (Summary, error) {
	f, err := NewReader(r)
	if err != nil {
		return Summary{}, err
	}
	final := store.Stamp{Environment: f.Header.Environment, Issuer: f.Header.Issuer, Format: f.Header.Format}
	begun := begin(final)
	if err := s.Restamp(ctx, store.Stamp{}, begun); err != nil {
		return Summary{}, err
	}
	if err := s.AdvanceFeed(ctx, f.Header.Position); err != nil {
		return Summary{}, err
	}
	l := &loading{ctx: ctx, s: s, o: o}
	for {
		i, err := f.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Summary{}, err
		}
		if err := l.add(i); err != nil {
			return Summary{}, err
		}
	}
	if err := l.flush(); err != nil {
		return Summary{}, err
	}
	sum := f.summary()
	if err := o.Audit(ctx, s, audit.Change{Action: "store.restore", After: map[string]any{"made_at": sum.MadeAt, "sha256": sum.SHA256, "counts": sum.Counts}}); err != nil {
		return Summary{}, err
	}
	if err := s.WitnessFeed(ctx, feed.RestoredFrom(sum.MadeAt)); err != nil {
		return Summary{}, err
	}
	return sum, s.Restamp(ctx, begun, final)
}

// begin returns the stamp of a store that is being filled.
func begin(final store.Stamp) store.Stamp {
	final.Environment = unfinished + final.Environment
	return final
}

// appendMarker appends an entry that ends nothing, and returns its position.
func appendMarker(ctx context.Context, s store.Feed, o Options) (store.Position, error) {
	return s.AppendFeed(ctx, store.Entry{Kind: store.EntryChange, Key: marker, By: "system", At: o.Now().UTC()})
}

// loading collects what is read from a file and writes it in larger steps: first
// the entries of the feed, then items with a position after all of them.
type loading struct {
	ctx     context.Context
	s       store.Store
	o       Options
	at      store.Position // of the items; zero: the feed is not complete
	entries []store.Entry
	items   []store.Item
	bytes   int
	done    int // of the section of the last item
}

// loadBytes bounds the items that are written at once.
const loadBytes = 1 << 20

func (l *loading) add(i store.Item) (err error) {
	if i.Section == sectionFeed {
		l.entries = append(l.entries, store.UnmarshalEntry(i.Form, store.Position{}))
		if len(l.entries) < dumpAtOnce {
			return nil
		}
		return l.flushEntries()
	}
	if l.at.IsZero() {
		if err := l.flushEntries(); err != nil {
			return err
		}
		if l.at, err = appendMarker(l.ctx, l.s, l.o); err != nil {
			return err
		}
	}
	if i, err = (moving{to: func(store.Position) store.Position { return l.at }}).record(i); err != nil {
		return err
	}
	l.items = append(l.items, i)
	l.bytes += len(i.Key) + len(i.Form)
	if len(l.items) < dumpAtOnce && l.bytes < loadBytes {
		return nil
	}
	return l.flush()
}

func (l *loading) flushEntries() error {
	if len(l.entries) == 0 {
		return nil
	}
	_, err := l.s.AppendFeed(l.ctx, l.entries...)
	l.entries = l.entries[:0]
	return err
}

func (l *loading) flush() error {
	if len(l.items) == 0 {
		return nil
	}
	if err := l.s.Load(l.ctx, l.items...); err != nil {
		return err
	}
	l.done += len(l.items)
	l.o.progress(l.items[len(l.items)-1].Section, l.done)
	l.items, l.bytes = l.items[:0], 0
	return nil
}

// Audit appends an event about the whole store. Unlike other changes, a copy fails
// without it.
func (o Options) Audit(ctx context.Context, s store.Audit, c audit.Change) error {
	c.Actor, c.Target = audit.Actor{Name: o.Actor}, marker
	return s.AppendAudit(ctx, audit.EventOf(c, o.Now()))
}
