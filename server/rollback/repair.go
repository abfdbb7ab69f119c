package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/store"
)

// repairAtOnce is how many records are compared at the same time: a store reads
// several of them in one round trip.
const repairAtOnce = 32

// bySystem is the actor of what grantd does by itself.
const bySystem = "system"

// Repairer makes the stored records what they must be after the store came back
// older. Safe for concurrent use.
type Repairer struct {
	o     Options
	kinds []repairKind

	mu       sync.Mutex
	reported string // the loss that was reported last
}

// Options are what a Repairer needs.
type Options struct {
	Store store.Store // not guarded
	Now   func() time.Time
	// Report is called once for each rollback, after the records are repaired.
	Report func(context.Context, Rollback)
}

// Rollback is what was found and done when the store came back older.
type Rollback struct {
	Entries     int // of the feed that the store lost and a replica knew
	WrittenBack int // records
	Deleted     int // records
	HeldBack    int // records, one by one
	Forgotten   int // records that were made, and are lost
	Hold        *store.Hold
}

// repairKind repairs records of one kind.
type repairKind struct {
	prefix string // of the principal key
	repair func(ctx context.Context, id string, e *store.Entry, hold *store.Hold) (outcome, error)
}

// NewRepairer returns a Repairer.
func NewRepairer(o Options) *Repairer {
	return &Repairer{o: o, kinds: []repairKind{
		repairer(store.ClientKind, o.Store.Clients()), repairer(store.OrgKind, o.Store.Orgs()),
		repairer(store.CustomerKind, o.Store.Customers()), repairer(store.PartnerKind, o.Store.Partners()),
		repairer(store.GrantKind, o.Store.Grants()), repairer(store.HoldKind, o.Store.Holds()),
	}}
}

func repairer[R any](kind store.Kind[R], s store.Records[R]) repairKind {
	return repairKind{kind.Principal(""), func(ctx context.Context, id string, e *store.Entry, hold *store.Hold) (outcome, error) {
		return repairOne(ctx, kind, s, id, e, hold)
	}}
}

// Repair writes back what the loss says of records, and puts a hold if more may
// be lost. It returns what the feed must say about that. It may be called again
// for the same loss. See feed.Options.
func (p *Repairer) Repair(ctx context.Context, loss feed.Loss) ([]store.Entry, error) {
	done := Rollback{Entries: loss.Entries}
	isHold := func(e store.Entry) bool { return e.Key == store.PrincipalHold(store.HoldID) }
	others := slices.DeleteFunc(slices.Clone(loss.Records), isHold)
	earlier := slices.DeleteFunc(slices.Clone(loss.Records), func(e store.Entry) bool { return !isHold(e) })
	if err := p.repairRecords(ctx, earlier, nil, &done); err != nil {
		return nil, err
	}
	var told []store.Entry
	if loss.Cause != "" {
		hold, put, err := p.putHold(ctx, loss)
		if err != nil {
			return nil, err
		}
		done.Hold = &hold
		if put {
			told = append(told, p.entry(hold))
		}
	}
	if err := p.repairRecords(ctx, others, done.Hold, &done); err != nil {
		return nil, err
	}
	p.report(ctx, loss, done)
	return told, nil
}

func (p *Repairer) repairRecords(ctx context.Context, entries []store.Entry, hold *store.Hold, done *Rollback) error {
	var mu sync.Mutex
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(repairAtOnce)
	for i := range entries {
		e := &entries[i]
		kind, id, ok := p.find(e.Key)
		if !ok {
			continue
		}
		all.Go(func() error {
			result, err := kind.repair(ctx, id, e, hold)
			if err != nil {
				return fmt.Errorf("%s: %w", e.Key, err)
			}
			mu.Lock()
			defer mu.Unlock()
			done.count(result)
			return nil
		})
	}
	return all.Wait()
}

func (r *Rollback) count(o outcome) {
	switch o {
	case writtenBack:
		r.WrittenBack++
	case deleted:
		r.Deleted++
	case heldBack:
		r.HeldBack++
	case forgotten:
		r.Forgotten++
	case untouched:
	}
}

// find returns the kind of the record with the principal key, and its id.
func (p *Repairer) find(key string) (kind repairKind, id string, ok bool) {
	for _, k := range p.kinds {
		if id, ok := strings.CutPrefix(key, k.prefix); ok {
			return k, id, true
		}
	}
	return repairKind{}, "", false
}

// putHold writes a hold for the incarnation of the store, unless another replica
// has. put reports which of the two.
func (p *Repairer) putHold(ctx context.Context, loss feed.Loss) (h store.Hold, put bool, err error) {
	holds := p.o.Store.Holds()
	for range mendTries {
		was, err := holds.Get(ctx, store.HoldID)
		absent := errors.Is(err, store.ErrNotFound)
		if err != nil && !absent {
			return h, false, err
		}
		if !absent && was.Incarnation == loss.Incarnation && was.LastKnown.Equal(loss.LastKnown) {
			return was, false, nil
		}
		now := p.o.Now().UTC().Truncate(time.Second)
		number := max(was.Number+1, uint64(now.UnixMilli()))
		h = store.Hold{
			ID: store.HoldID, Number: number, Incarnation: loss.Incarnation, Cause: loss.Cause, Since: now, LastKnown: loss.LastKnown,
			Head: store.Head{CreatedAt: now, UpdatedAt: now, Version: max(was.Version+1, number)},
		}
		if err = holds.Restore(ctx, h, was.Version); err == nil {
			return h, true, nil
		}
		if !changedMeanwhile(err) {
			return h, false, err
		}
	}
	return h, false, fmt.Errorf("put a hold: others did so again and again: %w", store.ErrUnavailable)
}

func (p *Repairer) entry(h store.Hold) store.Entry {
	e := store.Entry{Kind: store.EntryChange, Key: store.PrincipalHold(h.ID), By: bySystem, At: p.o.Now().UTC(), Version: h.Version}
	if form, err := store.HoldKind.Marshal(h); err == nil {
		e.Form = string(form)
	}
	return e
}

// report reports what was lost, once for each incarnation of the store.
func (p *Repairer) report(ctx context.Context, loss feed.Loss, done Rollback) {
	if done.Entries+done.WrittenBack+done.Deleted+done.HeldBack+done.Forgotten == 0 && done.Hold == nil {
		return
	}
	p.mu.Lock()
	this := loss.Incarnation + " " + loss.LastKnown.String()
	again := p.reported == this
	p.reported = this
	p.mu.Unlock()
	if again {
		return
	}
	if p.o.Report != nil {
		p.o.Report(ctx, done)
	}
}
