package partners

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/registry"
	"github.com/grantd/grantd/store"
)

var (
	errNoOrg       = apierr.Member("org_id", "there is no org with this id: make it first (grantd org put)")
	errUntil       = apierr.Member("until", "until is a time in the future, such as 2027-01-01T00:00:00Z")
	errDeactivated = apierr.New(apierr.Conflict, "this partner is deactivated: reactivate it first")
	errNoGrant     = apierr.New(apierr.NotFound, "this org has granted this partner nothing")
	errReplaced    = apierr.New(apierr.Conflict, "the partner or the org was deleted in the meantime, and perhaps made again: look at both and try again")
	errAbsentOrg   = apierr.New(apierr.NotFound, "there is no org with this id")
	errNoPartner   = apierr.New(apierr.NotFound, "there is no partner with this id")
)

func validGrantID(id string) bool {
	partner, org, ok := strings.Cut(id, "/")
	return ok && field.ValidID(partner) && field.ValidID(org)
}

// Grant returns what the org grants the partner. A grant that was made to a
// former partner with the same id has no effect: neither Grant nor the lists
// show it. Errors: apierr.NotFound.
func (s *Service) Grant(ctx context.Context, id string) (GrantView, error) {
	g, err := s.grants.Get(ctx, id)
	if err != nil {
		return GrantView{}, translateNotFound(err)
	}
	v, ok, err := s.showGrant(ctx, g)
	if err == nil && !ok {
		err = errNoGrant
	}
	return v, err
}

// showGrant returns the grant with its state; ok is false for a grant to a
// former partner.
func (s *Service) showGrant(ctx context.Context, g store.Grant) (v GrantView, ok bool, err error) {
	p, err := s.Registry.Get(ctx, g.PartnerID)
	if err != nil || p.Incarnation != g.PartnerIncarnation {
		return GrantView{}, false, registry.IgnoreNotFound(err)
	}
	o, err := s.findOrg(ctx, g.OrgID)
	return s.addState(&g, &p, o), true, err
}

// findOrg returns the org with this id, or nil if there is none.
func (s *Service) findOrg(ctx context.Context, id string) (*store.Org, error) {
	o, err := s.o.Orgs.Get(ctx, id)
	if err != nil {
		return nil, registry.IgnoreNotFound(err)
	}
	return &o, nil
}

// addState returns the view of the grant with its state; o is nil if the org
// is deleted.
func (s *Service) addState(g *store.Grant, p *store.Partner, o *store.Org) GrantView {
	v := viewGrant(*g)
	if v.State = OrgDeleted; o != nil {
		v.State = stateOf(g, p, o, s.o.Catalogue(), s.o.Now())
	}
	return v
}

// ListGrants returns up to limit grants to the partner, by org id, after the
// grant with the given id. Errors: apierr.NotFound.
func (s *Service) ListGrants(ctx context.Context, partner, after string, limit int) ([]GrantView, error) {
	p, err := s.Registry.Get(ctx, partner)
	if err != nil {
		return nil, err
	}
	return registry.List(ctx, s.grants, store.Page{Owner: partner, After: after, Limit: limit}, func(g store.Grant) (GrantView, bool, error) {
		if g.PartnerIncarnation != p.Incarnation {
			return GrantView{}, false, nil
		}
		o, err := s.findOrg(ctx, g.OrgID)
		return s.addState(&g, &p, o), true, err
	})
}

// ListGrantsOfOrg returns up to limit grants of the org, by partner id, after
// the given partner. Errors: apierr.NotFound.
func (s *Service) ListGrantsOfOrg(ctx context.Context, org, after string, limit int) ([]GrantView, error) {
	if !field.ValidID(org) {
		return nil, errAbsentOrg
	}
	o, err := s.findOrg(ctx, org)
	if err != nil {
		return nil, err
	}
	views, err := registry.List(ctx, s.Registry, store.Page{After: after, Limit: limit}, func(p store.Partner) (GrantView, bool, error) {
		g, err := s.o.Grants.Get(ctx, store.GrantID(p.ID, org))
		if err != nil || p.Incarnation != g.PartnerIncarnation {
			return GrantView{}, false, registry.IgnoreNotFound(err)
		}
		return s.addState(&g, &p, o), true, nil
	})
	if err == nil && len(views) == 0 && after == "" && o == nil { // a deleted org may have left some grants
		err = errAbsentOrg
	}
	return views, err
}

// PutGrant records what the org grants the partner, and replaces what it
// granted before. Granting less voids the tokens that were made with more.
// version 0 accepts whatever is stored, or nothing.
// Errors: apierr.InvalidRequest, NotFound, Conflict, PreconditionFailed.
func (s *Service) PutGrant(ctx context.Context, by audit.Actor, id string, version uint64, spec GrantSpec) (v GrantView, created bool, err error) {
	ctx = context.WithoutCancel(ctx) // what is written is also shown
	wanted, err := s.newGrant(ctx, id, spec)
	if err == nil {
		err = s.deleteFormerGrant(ctx, by, id)
	}
	if err != nil {
		return v, false, err
	}
	g, created, err := s.grants.Put(ctx, wanted, registry.Step[store.Grant]{
		By: by, Action: "update", ID: id, Version: version,
		Edit: func(g *store.Grant) error {
			if !sameIncarnation(*g, wanted) {
				// The partner or the org may have been made after wanted was built.
				if now, err := s.newGrant(ctx, id, spec); err != nil || !sameIncarnation(now, wanted) {
					return cmp.Or(err, error(errReplaced))
				}
			}
			return replaceGrant(g, wanted)
		},
	})
	if err != nil {
		return v, created, err
	}
	v, ok, err := s.showGrant(ctx, g)
	if err == nil && !ok {
		err = cmp.Or(s.deleteFormer(ctx, by, g), error(errReplaced))
	}
	return v, created, err
}

// replaceGrant puts what wanted grants into the stored grant, and marks it to
// be announced with a void if it grants less than before, or if it was made for
// a former partner or by a former org with the same id. Errors:
// registry.ErrUnchanged.
func replaceGrant(g *store.Grant, wanted store.Grant) error {
	same := sameIncarnation(*g, wanted) && g.DeactivatedAt == nil // a withdrawal may have stopped halfway
	if same && slices.Equal(g.Scopes, wanted.Scopes) && slices.Equal(g.Endpoints, wanted.Endpoints) && equalTimes(g.Until, wanted.Until) {
		return registry.ErrUnchanged
	}
	if !same || !scopes.Subset(g.Scopes, wanted.Scopes) || losesEndpoints(g.Endpoints, wanted.Endpoints) || endsSooner(g.Until, wanted.Until) {
		g.Unannounced = true
	}
	g.Scopes, g.Endpoints, g.Until, g.DeactivatedAt = wanted.Scopes, wanted.Endpoints, wanted.Until, nil
	g.PartnerIncarnation, g.OrgIncarnation = wanted.PartnerIncarnation, wanted.OrgIncarnation
	return nil
}

// deleteFormerGrant deletes the grant with this id if it was made to a former
// partner with the same id; a late call may have left it. It must not be there
// when an org grants something to the current partner.
func (s *Service) deleteFormerGrant(ctx context.Context, by audit.Actor, id string) error {
	g, err := s.grants.Get(ctx, id)
	if err != nil {
		return registry.IgnoreNotFound(err)
	}
	p, err := s.Registry.Get(ctx, g.PartnerID) // read after the grant, so that it is not an older partner
	if registry.IgnoreNotFound(err) != nil || err == nil && p.Incarnation == g.PartnerIncarnation {
		return err
	}
	return s.deleteFormer(ctx, by, g)
}

// deleteFormer deletes a grant to a former partner, unless somebody else has
// deleted or changed it.
func (s *Service) deleteFormer(ctx context.Context, by audit.Actor, g store.Grant) error {
	err := s.o.Grants.Delete(ctx, g.ID(), g.Version)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	s.grants.Audit(ctx, by, g.ID(), audit.Change{Action: "delete", Before: viewGrant(g)}, err)
	return err
}

// newGrant returns the grant that the spec describes, as a new record.
// Errors: apierr.InvalidRequest, NotFound, Conflict.
func (s *Service) newGrant(ctx context.Context, id string, spec GrantSpec) (store.Grant, error) {
	if !validGrantID(id) {
		return store.Grant{}, errNoPartner
	}
	partner, org, _ := strings.Cut(id, "/")
	g := store.Grant{PartnerID: partner, OrgID: org, Endpoints: spec.Endpoints, Head: s.Registry.NewHead()}
	p, err := s.Registry.Get(ctx, partner)
	if err != nil {
		return g, err
	}
	if p.DeactivatedAt != nil {
		return g, errDeactivated
	}
	o, err := s.o.Orgs.Get(ctx, org)
	if errors.Is(err, store.ErrNotFound) {
		return g, errNoOrg
	}
	if err != nil {
		return g, err
	}
	g.PartnerIncarnation, g.OrgIncarnation = p.Incarnation, o.Incarnation
	if g.Scopes, err = s.parseScopes(spec.Scope); err != nil {
		return g, err
	}
	for _, n := range g.Scopes {
		if !slices.Contains(p.Scopes, n) {
			return g, apierr.Member("scope", fmt.Sprintf("scope holds a name that this partner does not have, %s: give it to the partner first (grantd partner put)", n))
		}
	}
	if _, err := scopes.ParseEndpoints(spec.Endpoints); err != nil {
		return g, apierr.Member("endpoints", err.Error())
	}
	g.Until, err = parseUntil(spec.Until, g.CreatedAt)
	return g, err
}

// parseUntil returns the end of a grant that is made at the time now, in whole
// seconds; nil: it has no end.
func parseUntil(text *string, now time.Time) (*time.Time, error) {
	if text == nil {
		return nil, nil
	}
	until, err := time.Parse(time.RFC3339, *text)
	if until = until.UTC().Truncate(time.Second); err != nil || !until.After(now) || until.Year() > 9999 { // JSON has no later year
		return nil, errUntil
	}
	return &until, nil
}

// Withdraw ends what the org granted the partner, together with the tokens that
// were made because of it. Errors: apierr.NotFound, PreconditionFailed.
func (s *Service) Withdraw(ctx context.Context, by audit.Actor, id string, version uint64) error {
	if err := s.deleteFormerGrant(ctx, by, id); err != nil {
		return err
	}
	return translateNotFound(s.grants.Delete(ctx, by, id, version))
}

// translateNotFound returns an error that says that nothing was granted, if err
// says that there is no such record, and otherwise err.
func translateNotFound(err error) error {
	var e *apierr.Error
	if errors.As(err, &e) && e.Code == apierr.NotFound {
		return errNoGrant
	}
	return err
}

// sameIncarnation reports whether both grants are between the same partner and
// org, not between former ones with the same ids.
func sameIncarnation(g, other store.Grant) bool {
	return g.PartnerIncarnation == other.PartnerIncarnation && g.OrgIncarnation == other.OrgIncarnation
}

// losesEndpoints reports whether endpoints were taken away. An empty list means
// all endpoints.
func losesEndpoints(before, after []string) bool {
	if len(before) == 0 {
		return len(after) > 0
	}
	return len(after) > 0 && !scopes.Subset(before, after)
}

func endsSooner(before, after *time.Time) bool {
	return after != nil && (before == nil || after.Before(*before))
}

func equalTimes(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}
