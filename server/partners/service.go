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

// page is how many records one read returns when all records are read.
const page = 500

// maxName is the longest name, in characters.
const maxName = 64

// Credentials makes and recognizes partner tokens; see server/tokens.
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
// them. It audits every change. A change that ends something returns when every
// replica has applied it.
type Service struct {
	*registry.Registry[store.Partner]
	o      Options
	grants *registry.Registry[store.Grant]
}

// New returns a Service.
func New(o Options) *Service {
	s := &Service{o: o}
	s.Registry = registry.New(registry.Kind[store.Partner]{
		Kind: store.PartnerKind, Valid: field.ValidID, Store: o.Store,
		View:   func(p store.Partner) any { return view(p) },
		End:    revokeAll,
		Remove: s.removeDependents,
	}, o.Feed, o.Audit, o.Now)
	s.grants = registry.New(registry.Kind[store.Grant]{
		Kind: store.GrantKind, Valid: validGrantID, Store: o.Grants,
		View: func(g store.Grant) any { return viewGrant(g) },
	}, o.Feed, o.Audit, o.Now)
	return s
}

// Grants returns the registry of grants.
func (s *Service) Grants() *registry.Registry[store.Grant] { return s.grants }

var (
	errID      = apierr.Member("partner_id", "a partner's id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ = + -")
	errName    = apierr.Member("name", "name is one line of 1 to 64 characters")
	errNoScope = apierr.Member("scope", "scope is missing: name the scopes that orgs may grant, separated by spaces")
)

// Put makes the partner, or changes it to what the spec says. Taking a scope
// away voids the tokens that the partner made. version 0 accepts whatever is
// stored, or nothing. Errors: apierr.InvalidRequest, PreconditionFailed.
func (s *Service) Put(ctx context.Context, by audit.Actor, id string, version uint64, spec Spec) (v View, created bool, err error) {
	if !field.ValidID(id) {
		return View{}, false, errID
	}
	if !field.OneLine(spec.Name, maxName) {
		return View{}, false, errName
	}
	names, err := s.parseScopes(spec.Scope)
	if err != nil {
		return View{}, false, err
	}
	p, created, err := s.Registry.Put(ctx, store.Partner{
		ID: id, Name: spec.Name, Scopes: names, Incarnation: registry.NewIncarnation(), Head: s.Registry.NewHead(),
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
	})
	return view(p), created, err
}

// parseScopes parses the scopes for a partner or a grant. Errors:
// apierr.InvalidRequest.
func (s *Service) parseScopes(text string) ([]string, error) {
	catalogue := s.o.Catalogue()
	names, err := catalogue.Parse(text)
	switch {
	case err != nil:
		return nil, apierr.Member("scope", err.Error())
	case len(names) == 0:
		return nil, errNoScope
	}
	for _, n := range names {
		if !catalogue.ForPartners(n) {
			return nil, apierr.Member("scope", fmt.Sprintf("scope holds a name that no partner may have, %s: partners have only scopes that read, none that needs a customer's code, and none of grantd's own rights", n))
		}
	}
	return names, nil
}

// removeDependents removes what belongs to a partner that is about to be
// deleted: what orgs granted it, and the records that say who owns its tokens.
func (s *Service) removeDependents(ctx context.Context, p store.Partner) error {
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
	return s.deleteOwners(ctx, p.Tokens)
}

// VoidAll revokes the tokens of every partner in their records. The feed
// already says that they are void, but it forgets that after a day. VoidAll
// goes on if one partner fails, and if its caller leaves. The caller must
// repeat it after an error.
func (s *Service) VoidAll(ctx context.Context, by audit.Actor) error {
	ctx = context.WithoutCancel(ctx)
	var failed []error
	for after := ""; ; {
		list, err := s.o.Store.List(ctx, store.Page{After: after, Limit: page})
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		for _, p := range list {
			if after = p.ID; len(p.Tokens) > 0 { // ended ones too: replicas may not know that they ended
				failed = append(failed, s.revokeAllOf(ctx, by, p.ID))
			}
		}
		if len(list) < page {
			return errors.Join(failed...)
		}
	}
}
