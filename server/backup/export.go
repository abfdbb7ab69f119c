package backup

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// dumpAtOnce is how many items are read and written at once.
const dumpAtOnce = 500

// Options are what a copy needs.
type Options struct {
	Now    func() time.Time
	Log    *slog.Logger
	MadeBy string // version of grantd
	Actor  string // for the audit, as uid:0
	// Progress is called from time to time with the section that is copied and how
	// many of its items are done; nil: it is not called.
	Progress func(section store.Section, done int)
}

func (o Options) progress(section store.Section, done int) {
	if o.Progress != nil {
		o.Progress(section, done)
	}
}

// inFile are the sections that a file has: tokens and challenges end with a
// restore anyway, and a file that is lost must not let its finder sign.
func inFile(section store.Section) bool {
	return section != store.SectionTokens && section != store.SectionChallenges && section != store.SectionSigningKeys
}

// Export writes a backup of the store, which may be in use. The feed is read first:
// every change that was acknowledged before the call is in the copy, and of a
// change that is made meanwhile, all or nothing of each record. Errors:
// store.ErrNotFound if no grantd has ever used the store, store.ErrUnavailable.
func Export(ctx context.Context, s store.Store, w io.Writer, o Options) (Summary, error) {
	stamp, err := s.ReadStamp(ctx)
	if err != nil {
		return Summary{}, fmt.Errorf("the store is empty: %w", err)
	}
	voids, _, err := feed.Read(ctx, feed.Options{Store: s, Now: o.Now, Log: o.Log})
	if err != nil {
		return Summary{}, err
	}
	h := Header{
		Environment: stamp.Environment, Issuer: stamp.Issuer, Format: stamp.Format,
		MadeAt: o.Now().UTC().Truncate(time.Second), MadeBy: o.MadeBy, Position: voids.Position(),
	}
	f, err := newWriter(w, h)
	if err != nil {
		return Summary{}, err
	}
	if err := eachEntry(ctx, s, voids.Position(), func(e []store.Entry) error { return f.entries(e) }); err != nil {
		return Summary{}, err
	}
	m := moving{voids: voids}
	for _, section := range store.Sections() {
		if !inFile(section) {
			continue
		}
		err := eachPage(ctx, s, section, o, func(items []store.Item) error { return f.items(m, items) })
		if err != nil {
			return Summary{}, err
		}
	}
	sum, err := f.finish()
	return Summary{Environment: h.Environment, Issuer: h.Issuer, MadeAt: h.MadeAt, Counts: f.counts, Bytes: f.bytes, SHA256: sum}, err
}

func (f *writer) entries(list []store.Entry) error {
	for _, e := range list {
		if e.Key == store.PrincipalSigningKeys(store.SigningKeysID) {
			continue // it holds the keys
		}
		if err := f.entry(e); err != nil {
			return err
		}
	}
	return nil
}

func (f *writer) items(m moving, items []store.Item) error {
	for _, i := range items {
		i, err := m.record(i)
		if err == nil {
			err = check(i)
		}
		if err != nil {
			return fmt.Errorf("%w: `grantd store check` lists all records that cannot be read", err)
		}
		if err := f.item(i); err != nil {
			return err
		}
	}
	return nil
}

// eachEntry calls do with the entries of the feed up to a position, except those
// that end one access token: no copy has such a token.
func eachEntry(ctx context.Context, s store.Feed, last store.Position, do func([]store.Entry) error) error {
	for after := (store.Position{}); last.After(after); {
		entries, err := s.ReadFeed(ctx, after, 0)
		if err != nil {
			return fmt.Errorf("read feed: %w", err)
		}
		if len(entries) == 0 {
			return nil
		}
		after = entries[len(entries)-1].Position
		kept := entries[:0]
		for _, e := range entries {
			if !store.IsTokenPrincipal(e.Key) && !e.Position.After(last) {
				kept = append(kept, e)
			}
		}
		if err := do(kept); err != nil {
			return err
		}
	}
	return nil
}

// eachPage calls do with the items of the section.
func eachPage(ctx context.Context, s store.Copies, section store.Section, o Options, do func([]store.Item) error) error {
	done := 0
	for cursor := ""; ; {
		items, next, err := s.Dump(ctx, section, cursor, dumpAtOnce)
		if err != nil {
			return err
		}
		if err := do(items); err != nil {
			return err
		}
		done += len(items)
		o.progress(section, done)
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
