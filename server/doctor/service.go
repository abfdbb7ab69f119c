// Package doctor shows operators what is held back since the store came back
// older, and releases it. server/rollback decides what is held back.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

// Records are those of one kind; a registry.Registry.
type Records interface {
	Held(ctx context.Context, after string, limit int) ([]registry.HeldRecord, error)
	Release(ctx context.Context, by audit.Actor, id string) error
}

// Kind is a kind of records that may be held back, with its Kind.Name.
type Kind struct {
	Name    string
	Records Records
}

// Options are what a Service needs.
type Options struct {
	Kinds []Kind
	Store store.Holds
	Feed  *feed.Feed
	Audit *audit.Log
	Now   func() time.Time
}

// Service holds the rules. It audits every release.
type Service struct {
	o     Options
	holds *registry.Registry[store.Hold]
}

// New returns a Service.
func New(o Options) *Service {
	return &Service{o, registry.New(registry.Kind[store.Hold]{
		Kind: store.HoldKind, Store: o.Store,
		Valid: func(id string) bool { return id == store.HoldID },
		View:  func(h store.Hold) any { return view(h) },
	}, o.Feed, o.Audit, o.Now)}
}

// View is the hold as the admin API and the audit show it.
type View struct {
	Number    uint64          `json:"number"`
	Cause     store.HoldCause `json:"cause"`
	Since     time.Time       `json:"since"`
	LastKnown *time.Time      `json:"last_known"`
	// Covers are the kinds of records that it still holds back, Released the
	// others.
	Covers   []string `json:"covers"`
	Released []string `json:"released"`
}

func view(h store.Hold) View {
	v := View{Number: h.Number, Cause: h.Cause, Since: h.Since, Covers: append([]string{}, h.Left()...), Released: append([]string{}, h.Released...)}
	if !h.LastKnown.IsZero() {
		v.LastKnown = &h.LastKnown
	}
	return v
}

// Hold returns the newest hold, or nil if there never was one.
func (s *Service) Hold() *View {
	h := s.o.Feed.Hold()
	if h == nil {
		return nil
	}
	v := view(*h)
	return &v
}

// Kinds returns the names of the kinds that may be held back.
func (s *Service) Kinds() []string {
	var names []string
	for _, k := range s.o.Kinds {
		names = append(names, k.Name)
	}
	return names
}

// find returns the records of the kind. Errors: apierr.InvalidRequest.
func (s *Service) find(kind string) (Records, error) {
	for _, k := range s.o.Kinds {
		if k.Name == kind {
			return k.Records, nil
		}
	}
	return nil, apierr.New(apierr.InvalidRequest, fmt.Sprintf("kind must be one of %s", strings.Join(s.Kinds(), ", "))).At("kind")
}

// Held returns up to limit records of the kind that are held back, after the
// given id. Errors: apierr.InvalidRequest.
func (s *Service) Held(ctx context.Context, kind, after string, limit int) ([]registry.HeldRecord, error) {
	records, err := s.find(kind)
	if err != nil {
		return nil, err
	}
	return records.Held(ctx, after, limit)
}

var errAnother = apierr.New(apierr.Conflict, "the store has come back older again since you looked: look again (grantd store doctor)")

var errWhich = apierr.New(apierr.InvalidRequest, "send either the id of a record or all: true").At("id")

// countPage is how many records one read returns for Count.
const countPage = 500

// Count returns how many records of each kind are held back.
func (s *Service) Count(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	for _, k := range s.o.Kinds {
		for after := ""; ; {
			page, err := k.Records.Held(ctx, after, countPage)
			if err != nil {
				return nil, err
			}
			counts[k.Name] += len(page)
			if len(page) < countPage {
				break
			}
			after = page[len(page)-1].ID
		}
	}
	return counts, nil
}

// Release releases the record with the id, or all records of the kind that fall under
// the hold. Errors: apierr.InvalidRequest, NotFound, Conflict.
func (s *Service) Release(ctx context.Context, by audit.Actor, r ReleaseRequest) error {
	records, err := s.find(r.Kind)
	if err != nil {
		return err
	}
	if (r.ID == "") != r.All {
		return errWhich
	}
	if h := s.o.Feed.Hold(); r.Hold != 0 && (h == nil || h.Number != r.Hold) {
		return errAnother
	}
	if r.ID != "" {
		return records.Release(ctx, by, r.ID)
	}
	if s.o.Feed.Hold() == nil {
		return nil
	}
	_, err = s.holds.Change(ctx, registry.Step[store.Hold]{
		By: by, Action: "release", ID: store.HoldID,
		Edit: func(h *store.Hold) error {
			if r.Hold != 0 && h.Number != r.Hold {
				return errAnother
			}
			if slices.Contains(h.Released, r.Kind) {
				return registry.ErrUnchanged
			}
			h.Released = append(slices.Clone(h.Released), r.Kind)
			return nil
		},
	})
	return err
}
