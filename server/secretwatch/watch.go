package secretwatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/trouble"
	"github.com/grantd/grantd/store"
)

const (
	// refreshEvery is how often a Watch reads what has changed.
	refreshEvery = 2 * time.Second
	// passEvery is how often it reads all records: a replica may have died between a
	// change and its entry in the feed. passAtLeast is the time between two of them
	// if so much changes that single records are not known.
	passEvery   = time.Hour
	passAtLeast = 30 * time.Second
	// maxKept bounds the credentials that are kept, some 200 bytes each.
	maxKept = 200_000
)

// Watch knows the credentials of one kind that work and that end by themselves. It
// reads all records at the start, and then those that the feed names, so it is at
// most some seconds behind every replica. Safe for concurrent use.
type Watch[R any] struct {
	kind    Kind[R]
	prefix  string
	changes *feed.Changes
	now     func() time.Time
	log     *trouble.Log

	mu   sync.RWMutex
	ends map[string][]Credential // by the id of the record
	kept int
	full bool // there are more than maxKept

	passed time.Time // when the last pass began; zero: there was none
	cancel context.CancelFunc
	done   chan struct{}
}

// NewWatch returns a Watch; Start begins to read.
func NewWatch[R any](kind Kind[R], f *feed.Feed, now func() time.Time, log *slog.Logger) *Watch[R] {
	prefix := kind.Of.Principal("")
	return &Watch[R]{
		kind: kind, prefix: prefix, changes: f.CollectChanges(prefix), now: now, ends: map[string][]Credential{},
		log:  trouble.New(log, kind.Name+" that end soon: not read; what was known stays", kind.Name+" that end soon: read again"),
		done: make(chan struct{}),
	}
}

// Start reads until Stop.
func (w *Watch[R]) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() {
		defer close(w.done)
		tick := time.NewTicker(refreshEvery)
		defer tick.Stop()
		for {
			w.Refresh(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

// Stop ends what Start began, and waits for it.
func (w *Watch[R]) Stop() {
	w.cancel()
	<-w.done
}

// Refresh reads what has changed. It must not run twice at the same time.
func (w *Watch[R]) Refresh(ctx context.Context) {
	keys, all := w.changes.Take()
	since := time.Since(w.passed)
	var err error
	switch {
	case w.passed.IsZero() || since > passEvery || all && since > passAtLeast:
		err = w.pass(ctx)
	case all:
		w.changes.PutBack(nil, true)
		return
	default:
		err = w.read(ctx, keys)
	}
	switch {
	case err == nil:
		w.log.Worked(ctx)
	case ctx.Err() == nil:
		w.changes.PutBack(keys, all)
		w.log.Failed(ctx, err)
	}
}

// pass reads all records.
func (w *Watch[R]) pass(ctx context.Context) error {
	began := time.Now()
	all := Watch[R]{kind: w.kind, ends: map[string][]Credential{}}
	now := w.now()
	for after := ""; ; {
		page, err := w.kind.Records.List(ctx, store.Page{After: after, Limit: readAtOnce})
		if err != nil {
			return err
		}
		for i := range page {
			all.keep(w.kind.Of.ID(&page[i]), w.kind.Credentials(&page[i], now))
		}
		if len(page) < readAtOnce {
			break
		}
		after = w.kind.Of.ID(&page[len(page)-1])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends, w.kept, w.full, w.passed = all.ends, all.kept, all.full, began
	return nil
}

// read reads the records with the keys.
func (w *Watch[R]) read(ctx context.Context, keys []string) error {
	for _, k := range keys {
		id := strings.TrimPrefix(k, w.prefix)
		r, err := w.kind.Records.Get(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		w.mu.Lock()
		w.kept -= len(w.ends[id])
		delete(w.ends, id)
		if err == nil {
			w.keep(id, w.kind.Credentials(&r, w.now()))
		}
		w.mu.Unlock()
	}
	return nil
}

// keep keeps those of the record's credentials that work and end, and that were not
// replaced.
func (w *Watch[R]) keep(id string, list []Credential) {
	list = slices.DeleteFunc(list, func(c Credential) bool { return c.State != Active || c.Replaced || c.ExpiresAt.IsZero() })
	if len(list) == 0 {
		return
	}
	if w.kept+len(list) > maxKept {
		w.full = true
		return
	}
	for i := range list {
		list[i].KeyOwner, list[i].KeyName = "", "" // long texts that nobody asks a Watch for
	}
	w.kept += len(list)
	w.ends[id] = list
}

// CountEnding returns how many credentials end within the time from now.
func (w *Watch[R]) CountEnding(within time.Duration) (n int) {
	now := w.now()
	w.each(now, now.Add(within), func(Credential) { n++ })
	return n
}

// EndingBefore returns the credentials that end after now and before the time, the
// first end first. all is false if there are more than a Watch keeps.
func (w *Watch[R]) EndingBefore(end time.Time) (list []Credential, all bool) {
	w.each(w.now(), end, func(c Credential) { list = append(list, c) })
	slices.SortFunc(list, func(a, b Credential) int {
		return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.ID, b.ID))
	})
	w.mu.RLock()
	defer w.mu.RUnlock()
	return list, !w.full
}

func (w *Watch[R]) each(now, end time.Time, do func(Credential)) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, list := range w.ends {
		for _, c := range list {
			if c.ExpiresAt.After(now) && !c.ExpiresAt.After(end) {
				do(c)
			}
		}
	}
}
