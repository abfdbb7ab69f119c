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
	// done is what was done about the loss so far: it may take several tries.
	done map[outcome]int
	of   string // the loss
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
	Damaged     int // records that cannot be read
	Hold        *store.Hold
}

// repairKind repairs records of one kind.
type repairKind struct {
	prefix string // of the principal key
	repair func(ctx context.Context, id string, e *store.Entry, holds holds) (outcome, error)
}

// withTokenOwners returns k, but also restores the owner records of the tokens of a
// partner that was written back. The record of the partner says all that they do.
func withTokenOwners(k repairKind, owners store.PartnerTokens) repairKind {
	return repairKind{k.prefix, func(ctx context.Context, id string, e *store.Entry, holds holds) (outcome, error) {
		done, err := k.repair(ctx, id, e, holds)
		if err != nil || done != writtenBack {
			return done, err
		}
		p, err := store.PartnerKind.Unmarshal([]byte(e.Form))
		if err != nil {
			return done, err
		}
		for _, t := range p.Tokens {
			err := owners.Create(ctx, store.PartnerTokenOwner{ID: t.ID, PartnerID: p.ID})
			if err != nil && !errors.Is(err, store.ErrExists) {
				return done, err
			}
		}
		return done, nil
	}}
}

// NewRepairer returns a Repairer.
func NewRepairer(o Options) *Repairer {
	return &Repairer{o: o, kinds: []repairKind{
		repairer(store.ClientKind, o.Store.Clients()), repairer(store.OrgKind, o.Store.Orgs()),
		repairer(store.CustomerKind, o.Store.Customers()), withTokenOwners(repairer(store.PartnerKind, o.Store.Partners()), o.Store.PartnerTokens()),
		repairer(store.APIKeyKind, o.Store.APIKeys()), repairer(store.GrantKind, o.Store.Grants()), repairer(store.HoldKind, o.Store.Holds()),
		repairer(store.SigningKeysKind, o.Store.SigningKeys()),
	}}
}

func repairer[R any](kind store.Kind[R], s store.Records[R]) repairKind {
	return repairKind{kind.Principal(""), func(ctx context.Context, id string, e *store.Entry, holds holds) (outcome, error) {
		return repairOne(ctx, kind, s, id, e, holds)
	}}
}

// Repair writes back what the loss says of records, and puts a hold if more may
// be lost. It returns what the feed must say about that. It may be called again
// for the same loss. See feed.Options.
func (p *Repairer) Repair(ctx context.Context, loss feed.Loss) ([]store.Entry, error) {
	done := Rollback{Entries: loss.Entries}
	p.begin(loss)
	isHold := func(e store.Entry) bool { return e.Key == store.PrincipalHold(store.HoldID) }
	others := slices.DeleteFunc(slices.Clone(loss.Records), isHold)
	earlier := slices.DeleteFunc(slices.Clone(loss.Records), func(e store.Entry) bool { return !isHold(e) })
	if err := p.repairRecords(ctx, earlier, holds{}); err != nil {
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
	if err := p.repairRecords(ctx, others, holds{done.Hold, loss.Hold}); err != nil {
		return nil, err
	}
	p.report(ctx, done)
	return told, nil
}

// begin forgets what was done about another loss.
func (p *Repairer) begin(loss feed.Loss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name := nameOf(loss); p.of != name {
		p.of, p.done = name, map[outcome]int{}
	}
}

// nameOf tells a loss from others.
func nameOf(loss feed.Loss) string { return loss.Incarnation + " " + loss.LastKnown.String() }

func (p *Repairer) repairRecords(ctx context.Context, entries []store.Entry, holds holds) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(repairAtOnce)
	for i := range entries {
		e := &entries[i]
		kind, id, ok := p.find(e.Key)
		if !ok {
			continue
		}
		all.Go(func() error {
			result, err := kind.repair(ctx, id, e, holds)
			if err != nil {
				return fmt.Errorf("%s: %w", e.Key, err)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			p.done[result]++
			return nil
		})
	}
	return all.Wait()
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
		if !absent && was.Incarnation == loss.Incarnation && was.LastKnown.Equal(loss.LastKnown) && len(was.Released) == 0 {
			return was, false, nil
		}
		now := p.o.Now().UTC().Truncate(time.Second)
		number := max(was.Number+1, uint64(now.UnixMilli()))
		if loss.Hold != nil {
			number = max(number, loss.Hold.Number+1)
		}
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
func (p *Repairer) report(ctx context.Context, done Rollback) {
	p.mu.Lock()
	done.WrittenBack, done.Deleted, done.HeldBack = p.done[writtenBack], p.done[deleted], p.done[heldBack]
	done.Forgotten, done.Damaged = p.done[forgotten], p.done[damaged]
	again := p.reported == p.of || done == Rollback{}
	if !again {
		p.reported = p.of
	}
	p.mu.Unlock()
	if again {
		return
	}
	if p.o.Report != nil {
		p.o.Report(ctx, done)
	}
}
