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
	errNoOrg     = bad("org_id", "there is no org with this id: make it first (grantd org put)")
	errUntil     = bad("until", "until is a time in the future, such as 2027-01-01T00:00:00Z")
	errOff       = apierr.New(apierr.Conflict, "this partner is deactivated: reactivate it first")
	errNoGrant   = apierr.New(apierr.NotFound, "this org has granted this partner nothing")
	errGone      = apierr.New(apierr.Conflict, "the partner or the org was deleted in the meantime, and perhaps made anew; look at both and try again")
	errAbsentOrg = apierr.New(apierr.NotFound, "there is no org with this id")
	errNoPartner = apierr.New(apierr.NotFound, "there is no partner with this id")
)

func validGrantID(id string) bool {
	partner, org, ok := strings.Cut(id, "/")
	return ok && field.ValidID(partner) && field.ValidID(org)
}

// Grant answers what the org grants the partner. What was granted to one that
// had the partner's id before is nobody's: here and in the lists there is no
// such grant. Errors: apierr.NotFound.
func (s *Service) Grant(ctx context.Context, id string) (GrantView, error) {
	g, err := s.grants.Get(ctx, id)
	if err != nil {
		return GrantView{}, s.asNoGrant(err)
	}
	v, ok, err := s.shown(ctx, g)
	if err == nil && !ok {
		err = errNoGrant
	}
	return v, err
}

// shown is the grant with its state; false: it is one of a former partner.
func (s *Service) shown(ctx context.Context, g store.Grant) (GrantView, bool, error) {
	p, err := s.Registry.Get(ctx, g.PartnerID)
	if err != nil || p.Incarnation != g.PartnerIncarnation {
		return GrantView{}, false, ignoreNotFound(err)
	}
	o, err := s.org(ctx, g.OrgID)
	return s.grantOf(&g, &p, o), true, err
}

// org is the one with this id; nil: there is none.
func (s *Service) org(ctx context.Context, id string) (*store.Org, error) {
	o, err := s.o.Orgs.Get(ctx, id)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	return &o, nil
}

func (s *Service) grantOf(g *store.Grant, p *store.Partner, o *store.Org) GrantView {
	v := viewGrant(*g)
	if v.State = OrgDeleted; o != nil {
		v.State = stateOf(g, p, o, s.o.Catalogue(), s.o.Now())
	}
	return v
}

// Grants answers up to limit grants to the partner after the one with the given
// id, by org. Errors: apierr.NotFound.
func (s *Service) Grants(ctx context.Context, partner, after string, limit int) ([]GrantView, error) {
	p, err := s.Registry.Get(ctx, partner)
	if err != nil {
		return nil, err
	}
	return registry.List(ctx, s.grants, store.Page{Owner: partner, After: after, Limit: limit}, func(g store.Grant) (GrantView, bool, error) {
		if g.PartnerIncarnation != p.Incarnation {
			return GrantView{}, false, nil
		}
		o, err := s.org(ctx, g.OrgID)
		return s.grantOf(&g, &p, o), true, err
	})
}

// GrantsBy answers up to limit grants of the org, to partners after the given
// one, by partner. Errors: apierr.NotFound.
func (s *Service) GrantsBy(ctx context.Context, org, after string, limit int) ([]GrantView, error) {
	if !field.ValidID(org) {
		return nil, errAbsentOrg
	}
	o, err := s.org(ctx, org)
	if err != nil {
		return nil, err
	}
	views, err := registry.List(ctx, s.Registry, store.Page{After: after, Limit: limit}, func(p store.Partner) (GrantView, bool, error) {
		g, err := s.o.Grants.Get(ctx, store.GrantID(p.ID, org))
		if err != nil || p.Incarnation != g.PartnerIncarnation {
			return GrantView{}, false, ignoreNotFound(err)
		}
		return s.grantOf(&g, &p, o), true, nil
	})
	if err == nil && len(views) == 0 && after == "" && o == nil { // a deleted org may have left some
		err = errAbsentOrg
	}
	return views, err
}

// stateOf says whether the partner may act for the org at the time now: both
// are those that the grant is about, and active, and it has not ended.
func stateOf(g *store.Grant, p *store.Partner, o *store.Org, c *scopes.Catalogue, now time.Time) State {
	switch {
	case g.DeactivatedAt != nil:
		return Withdrawn
	case p.ID != g.PartnerID || o.ID != g.OrgID || p.Incarnation != g.PartnerIncarnation || o.Incarnation != g.OrgIncarnation:
		return MadeAnew
	case p.DeactivatedAt != nil:
		return PartnerDeactivated
	case o.DeactivatedAt != nil:
		return OrgDeactivated
	case g.Until != nil && !now.Before(*g.Until):
		return Expired
	case len(usable(g, p, c)) == 0:
		return NoScope
	}
	return Active
}

// usable answers the scopes that the org granted, the partner may still have,
// and the catalogue still calls read-only.
func usable(g *store.Grant, p *store.Partner, c *scopes.Catalogue) []string {
	return slices.DeleteFunc(slices.Clone(g.Scopes), func(n string) bool { return !slices.Contains(p.Scopes, n) || !c.ForPartners(n) })
}

// PutGrant notes what the org grants the partner, instead of what it granted
// before. Granting less voids the tokens that were made with more. version 0
// means whatever is stored, or nothing.
// Errors: apierr.InvalidRequest, NotFound, Conflict, PreconditionFailed.
func (s *Service) PutGrant(ctx context.Context, by audit.Actor, id string, version uint64, spec GrantSpec) (v GrantView, created bool, err error) {
	ctx = context.WithoutCancel(ctx) // what is written is also shown
	first, err := s.newGrant(ctx, id, spec)
	if err == nil {
		err = s.clearFormer(ctx, by, id)
	}
	if err != nil {
		return v, false, err
	}
	g, created, err := s.grants.Put(ctx, first, registry.Step[store.Grant]{
		By: by, Action: "update", ID: id, Version: version,
		Edit: func(g *store.Grant) error {
			same := sameIncarnation(*g, first)
			if !same {
				// It may be of a partner or an org that was made since first was.
				if now, err := s.newGrant(ctx, id, spec); err != nil || !sameIncarnation(now, first) {
					return cmp.Or(err, error(errGone))
				}
			}
			same = same && g.DeactivatedAt == nil // a withdrawal may have stopped half-way
			if same && slices.Equal(g.Scopes, first.Scopes) && slices.Equal(g.Endpoints, first.Endpoints) && sameTime(g.Until, first.Until) {
				return registry.ErrUnchanged
			}
			if !same || !scopes.Subset(g.Scopes, first.Scopes) || narrowerEndpoints(g.Endpoints, first.Endpoints) || sooner(g.Until, first.Until) {
				g.Unannounced = true
			}
			g.Scopes, g.Endpoints, g.Until, g.DeactivatedAt = first.Scopes, first.Endpoints, first.Until, nil
			g.PartnerIncarnation, g.OrgIncarnation = first.PartnerIncarnation, first.OrgIncarnation
			return nil
		},
		Entries: func() []store.Entry { return []store.Entry{s.grants.Entry(store.EntryChange, id, by)} },
	})
	if err != nil {
		return v, created, err
	}
	v, there, err := s.shown(ctx, g)
	if err == nil && !there {
		err = cmp.Or(s.clear(ctx, by, g), error(errGone))
	}
	return v, created, err
}

// clearFormer removes the grant of this id if it is one of a former partner: a
// call that came late may have left it. It means nothing, and is not to be
// found when the partner of today is granted something.
func (s *Service) clearFormer(ctx context.Context, by audit.Actor, id string) error {
	g, err := s.grants.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	p, err := s.Registry.Get(ctx, g.PartnerID) // after the grant: it is not an earlier one
	if ignoreNotFound(err) != nil || err == nil && p.Incarnation == g.PartnerIncarnation {
		return err
	}
	return s.clear(ctx, by, g)
}

// clear removes a grant of a former partner, unless somebody else was first.
func (s *Service) clear(ctx context.Context, by audit.Actor, g store.Grant) error {
	err := s.o.Grants.Delete(ctx, g.ID(), g.Version)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	s.grants.Audit(ctx, by, g.ID(), audit.Change{Action: "delete", Before: viewGrant(g)}, err)
	return err
}

// newGrant answers the grant that the spec describes, as a new record.
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
		return g, errOff
	}
	o, err := s.o.Orgs.Get(ctx, org)
	if errors.Is(err, store.ErrNotFound) {
		return g, errNoOrg
	}
	if err != nil {
		return g, err
	}
	g.PartnerIncarnation, g.OrgIncarnation = p.Incarnation, o.Incarnation
	if g.Scopes, err = s.scopes(spec.Scope); err != nil {
		return g, err
	}
	for _, n := range g.Scopes {
		if !slices.Contains(p.Scopes, n) {
			return g, bad("scope", fmt.Sprintf("scope holds a name that this partner may not have, %s: give it to the partner first (grantd partner put)", n))
		}
	}
	if _, err := scopes.ParseEndpoints(spec.Endpoints); err != nil {
		return g, bad("endpoints", err.Error())
	}
	if spec.Until != nil {
		until, err := time.Parse(time.RFC3339, *spec.Until)
		if until = until.UTC().Truncate(time.Second); err != nil || !until.After(g.CreatedAt) || until.Year() > 9999 { // JSON has no later year
			return g, errUntil
		}
		g.Until = &until
	}
	return g, nil
}

// Withdraw ends what the org granted the partner, with the tokens that were
// made for it. Errors: apierr.NotFound, PreconditionFailed.
func (s *Service) Withdraw(ctx context.Context, by audit.Actor, id string, version uint64) error {
	if err := s.clearFormer(ctx, by, id); err != nil {
		return err
	}
	return s.asNoGrant(s.grants.Delete(ctx, by, id, version))
}

func (s *Service) asNoGrant(err error) error {
	var f *apierr.Error
	if errors.As(err, &f) && f.Code == apierr.NotFound {
		return errNoGrant
	}
	return err
}

// sameIncarnation says whether both are of the same partner and org, and not of
// others that had their ids.
func sameIncarnation(g, other store.Grant) bool {
	return g.PartnerIncarnation == other.PartnerIncarnation && g.OrgIncarnation == other.OrgIncarnation
}

// narrowerEndpoints says whether some were taken away; none are all.
func narrowerEndpoints(before, after []string) bool {
	if len(before) == 0 {
		return len(after) > 0
	}
	return len(after) > 0 && !scopes.Subset(before, after)
}

func sooner(before, after *time.Time) bool {
	return after != nil && (before == nil || after.Before(*before))
}

func sameTime(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}
