package customers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/imports"
	"github.com/grantd/grantd/server/phonekeys"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Bounds of the wrong codes of a customer. They are not settings, because
// APP_GUIDE.md promises how they protect the customer.
const (
	wrongPerDay = 20
	wrongInRow  = 100
	wrongWindow = 24 * time.Hour
)

var bounds = store.GuessBounds{Window: wrongWindow, Today: wrongPerDay, InRow: wrongInRow}

// Options are what a Service needs.
type Options struct {
	Phones  *phonekeys.Customers // the records
	Orgs    store.Orgs
	Guesses store.GuessCounts
	Codes   CodeCounts
	Feed    *feed.Feed
	Audit   *audit.Log
	Now     func() time.Time
}

// Service holds the rules of customers' records. It audits every change. A
// change that voids something returns when every replica has applied it. No
// replica caches customers, so a change that voids nothing has no feed entry.
type Service struct {
	*registry.Registry[store.Customer]
	o         Options
	searching sync.Mutex // held by a search for locked customers
}

// New returns a Service.
func New(o Options) *Service {
	kind := registry.Kind[store.Customer]{
		Kind: store.CustomerKind, Valid: field.ValidID,
		Store: o.Phones, Stored: o.Phones.Stored, Uncached: true,
		View: func(c store.Customer) any { return view(c) }, Tidy: dropMute,
	}
	return &Service{Registry: registry.New(kind, o.Feed, o.Audit, o.Now), o: o}
}

// shown returns the customer with the numbers of codes, what refuses further ones, and
// what is wrong with the phone numbers.
func (s *Service) shown(ctx context.Context, c store.Customer) (Shown, error) {
	g, err := s.o.Guesses.GetGuesses(ctx, c.ID, wrongWindow)
	if err != nil {
		return Shown{}, err
	}
	codes, err := s.o.Codes.ReadCodes(ctx, codesOf(c))
	now := s.o.Now()
	out := Shown{View: view(c), WrongCodesToday: g.Today, WrongCodesInRow: g.InRow, CodesLocked: g.InRow >= wrongInRow, CodesSent24h: codes.Sent}
	over := block{codes.Over.Limit, now.Add(codes.Over.Wait)}
	if b := longestBlock(guessBlock(g), muteBlock(c, now), over); b.by != "" {
		out.BlockedBy = &b.by
		if until := b.until.UTC().Truncate(time.Second); !b.until.IsZero() {
			out.CodesBlockedUntil = &until
		}
	}
	if problem := s.o.Phones.Problem(c); problem != nil {
		out.PhonesUnreadable = problem.Error()
	}
	return out, err
}

// List returns up to limit customers with ids after the given one, by id. An org
// other than "" selects its customers, and only these are read.
func (s *Service) List(ctx context.Context, org, after string, limit int) ([]View, error) {
	return registry.List(ctx, s.Registry, store.Page{Group: org, After: after, Limit: limit}, func(c store.Customer) (View, bool, error) {
		return view(c), org == "" || c.OrgID == org, nil
	})
}

// Put makes the customer, or changes them to what the spec says. version 0
// accepts whatever is stored, or nothing.
// Errors: apierr.InvalidRequest, PreconditionFailed.
func (s *Service) Put(ctx context.Context, by audit.Actor, id string, version uint64, spec Spec) (v View, result string, err error) {
	next, err := parseSpec(id, spec)
	if err != nil {
		return View{}, imports.Refused, err
	}
	org, err := s.findOrg(ctx, next.OrgID)
	if err != nil {
		return View{}, imports.Refused, err
	}
	return s.put(ctx, by, version, next, &org)
}

// CountOfOrg returns how many customers the org has, at most limit.
func (s *Service) CountOfOrg(ctx context.Context, org string, limit int) (int, error) {
	return s.Registry.CountMembers(ctx, org, belongsTo(org), limit)
}

// RemoveOfOrg removes customers of the org, whose tokens are void; see
// registry.RemoveMembers.
func (s *Service) RemoveOfOrg(ctx context.Context, by audit.Actor, org, after string) (removed int, next string, err error) {
	return s.Registry.RemoveMembers(ctx, by, org, after, belongsTo(org))
}

func belongsTo(org string) func(*store.Customer) bool {
	return func(c *store.Customer) bool { return c.OrgID == org }
}

// findOrg returns the org with this id. Errors: errNoOrg.
func (s *Service) findOrg(ctx context.Context, id string) (store.Org, error) {
	o, err := s.o.Orgs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = errNoOrg
	}
	return o, err
}

func (s *Service) put(ctx context.Context, by audit.Actor, version uint64, next store.Customer, org *store.Org) (v View, result string, err error) {
	next.Head, next.OrgIncarnation = s.Registry.NewHead(), org.Incarnation
	next.PhonesChangedAt = next.CreatedAt
	phones, void := false, false // changed, its tokens end
	c, created, err := s.Registry.Put(ctx, next, registry.Step[store.Customer]{
		By: by, Action: "update", ID: next.ID, Version: version, Unsettled: true,
		Recorded: func() bool { return phones },
		Edit: func(c *store.Customer) error {
			result = imports.Updated
			before, users := phonesOf(*c), c.AuthorizedUsers
			err := replace(c, next, org, s.Registry.Now())
			phones = !slices.Equal(before, phonesOf(*c))
			if lostUser(users, c.AuthorizedUsers) {
				c.Unannounced = true // their tokens end, and with them all of the customer's
			}
			void = c.Unannounced
			if errors.Is(err, errSame) {
				result = imports.Unchanged
				return registry.ErrUnchanged
			}
			return err
		},
	})
	switch {
	case err != nil:
		return View{}, imports.Refused, err
	case created:
		result = imports.Created
	case void:
		err = s.o.Feed.Settle(ctx)
	}
	return view(c), result, err
}

// ResetCodes forgets the customer's wrong codes, which also unlocks the customer. With
// sent it also forgets the codes that were sent for the customer and to their numbers.
func (s *Service) ResetCodes(ctx context.Context, by audit.Actor, id string, sent bool) (Shown, error) {
	c, err := s.Registry.Get(ctx, id)
	if err == nil {
		err = s.o.Guesses.ResetGuesses(ctx, id)
	}
	if err == nil && sent {
		err = s.o.Codes.ResetCodes(ctx, codesOf(c))
	}
	change := audit.Change{Action: "reset_codes"}
	if sent && err == nil {
		change.After = map[string]any{"sent": true}
	}
	s.Registry.Audit(ctx, by, id, change, err)
	if err != nil {
		return Shown{}, err
	}
	return s.shown(ctx, c)
}
