package partners

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/server/tokens"
	"github.com/grantd/grantd/store"
)

// ignoreNotFound is err unless it says that there is no such record.
func ignoreNotFound(err error) error {
	var f *apierr.Error
	if errors.Is(err, store.ErrNotFound) || errors.As(err, &f) && f.Code == apierr.NotFound {
		return nil
	}
	return err
}

// page is how many records are read at once where all are.
const page = 500

// maxName bounds a name, in characters.
const maxName = 64

// Credentials makes partner tokens and knows them again; see server/tokens.
type Credentials interface {
	MakePartnerToken(end time.Time) (plain, id, hash string)
	PartnerTokenOf(ctx context.Context, presented string) (tokens.PartnerToken, error)
}

// Options are what a Service needs.
type Options struct {
	Store       store.Partners
	Tokens      store.PartnerTokens
	Grants      store.Grants
	Orgs        store.Orgs
	Uses        store.Uses
	Credentials Credentials
	Catalogue   func() *scopes.Catalogue
	Feed        *feed.Feed
	Audit       *audit.Log
	Now         func() time.Time
}

// Service holds the rules of partners, of their tokens and of what orgs grant
// them. Every change is audited; one that ends something returns when every
// replica has it.
type Service struct {
	*registry.Registry[store.Partner]
	o      Options
	grants *registry.Registry[store.Grant]
}

// New makes a Service.
func New(o Options) *Service {
	s := &Service{o: o}
	s.Registry = registry.New(registry.Kind[store.Partner]{
		Kind: store.PartnerKind, Valid: field.ValidID, Store: o.Store,
		Head:   func(p *store.Partner) *store.Head { return &p.Head },
		View:   func(p store.Partner) any { return view(p) },
		End:    endTokens,
		Remove: s.removeWith,
	}, o.Feed, o.Audit, o.Now)
	s.grants = registry.New(registry.Kind[store.Grant]{
		Kind: store.GrantKind, Valid: validGrantID, Store: o.Grants,
		Head: func(g *store.Grant) *store.Head { return &g.Head },
		View: func(g store.Grant) any { return viewGrant(g) },
	}, o.Feed, o.Audit, o.Now)
	return s
}

func bad(field, description string) *apierr.Error {
	return apierr.New(apierr.InvalidRequest, description).At(field)
}

var (
	errID      = bad("partner_id", "a partner's id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -")
	errName    = bad("name", "name is one line of 1 to 64 characters")
	errNoScope = bad("scope", "scope is missing: name the scopes that orgs may grant, separated by spaces")
)

// Put makes the partner, or gives it what the spec says. Taking a scope away
// voids the tokens that it made. version 0 means whatever is stored, or
// nothing. Errors: apierr.InvalidRequest, PreconditionFailed.
func (s *Service) Put(ctx context.Context, by audit.Actor, id string, version uint64, spec Spec) (v View, created bool, err error) {
	if !field.ValidID(id) {
		return View{}, false, errID
	}
	if !field.OneLine(spec.Name, maxName) {
		return View{}, false, errName
	}
	names, err := s.scopes(spec.Scope)
	if err != nil {
		return View{}, false, err
	}
	p, created, err := s.Registry.Put(ctx, store.Partner{
		ID: id, Name: spec.Name, Scopes: names, Incarnation: registry.FirstVersion(), Head: s.Registry.NewHead(),
	}, registry.Step[store.Partner]{
		By: by, Action: "update", ID: id, Version: version,
		Edit: func(p *store.Partner) error {
			if p.Name == spec.Name && slices.Equal(p.Scopes, names) {
				return registry.ErrUnchanged
			}
			if !scopes.Subset(p.Scopes, names) {
				p.Unannounced = true
			}
			p.Name, p.Scopes = spec.Name, names
			return nil
		},
		Entries: func() []store.Entry { return []store.Entry{s.Registry.Entry(store.EntryChange, id, by)} },
	})
	return view(p), created, err
}

// scopes reads the scopes of a partner or a grant.
func (s *Service) scopes(text string) ([]string, error) {
	catalogue := s.o.Catalogue()
	names, err := catalogue.Parse(text)
	switch {
	case err != nil:
		return nil, bad("scope", err.Error())
	case len(names) == 0:
		return nil, errNoScope
	}
	for _, n := range names {
		if !catalogue.ForPartners(n) {
			return nil, bad("scope", fmt.Sprintf("scope holds a name that no partner may have, %s: partners only read, nothing that needs a customer's code, and none of grantd's own rights", n))
		}
	}
	return names, nil
}

// removeWith removes what belongs to a partner that is about to go: what orgs
// granted it, and whose its tokens are.
func (s *Service) removeWith(ctx context.Context, p store.Partner) error {
	for {
		grants, err := s.o.Grants.List(ctx, store.Page{Owner: p.ID, Limit: page})
		if err != nil {
			return err
		}
		for _, g := range grants {
			if err := s.o.Grants.Delete(ctx, g.ID(), g.Version); err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
		if len(grants) == 0 {
			break
		}
	}
	return s.forgetTokens(ctx, p.Tokens)
}

// VoidAll writes into the record of every partner that its tokens have ended:
// the feed, which says so already, forgets it after a day. It goes on where one
// fails, and does not end with its caller; what failed is to be repeated.
func (s *Service) VoidAll(ctx context.Context, by audit.Actor) error {
	ctx = context.WithoutCancel(ctx)
	var failed []error
	for after := ""; ; {
		list, err := s.o.Store.List(ctx, store.Page{After: after, Limit: page})
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, p := range list {
			if after = p.ID; len(p.Tokens) > 0 { // also ended ones: nobody may have been told
				failed = append(failed, s.endAll(ctx, by, p.ID))
			}
		}
		if len(list) < page {
			return errors.Join(failed...)
		}
	}
}
