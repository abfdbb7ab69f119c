package partners

import (
	"slices"
	"time"

	"github.com/grantd/grantd/scopes"
	"github.com/grantd/grantd/store"
)

// State says whether a grant is valid, or why it is not.
type State string

// The states.
const (
	Active    State = "active"
	Expired   State = "expired"
	Withdrawn State = "withdrawn" // the withdrawal did not finish: withdraw it again
	// HeldBack: the grant, its partner or its org is held back since the store
	// came back older (grantd store doctor).
	HeldBack           State = "held_back"
	PartnerDeactivated State = "partner_deactivated"
	OrgDeactivated     State = "org_deactivated"
	OrgDeleted         State = "org_deleted"
	// MadeAnew: the org was deleted and another one has its id, so the grant
	// must be made again. A partner that was made again has this state too, but
	// its grants are not shown.
	MadeAnew State = "made_anew"
	NoScope  State = "no_scope" // none of the granted scopes may be used anymore
)

// stateOf returns whether the partner may act for the org at the time now: both
// must be those that the grant was made between, and active, and the grant must
// not have ended.
func stateOf(g *store.Grant, p *store.Partner, o *store.Org, c *scopes.Catalogue, now time.Time) State {
	switch {
	case g.DeactivatedAt != nil:
		return Withdrawn
	case p.ID != g.PartnerID || o.ID != g.OrgID || p.Incarnation != g.PartnerIncarnation || o.Incarnation != g.OrgIncarnation:
		return MadeAnew
	case g.Held(), p.Held(), o.Held():
		return HeldBack
	case p.DeactivatedAt != nil:
		return PartnerDeactivated
	case o.DeactivatedAt != nil:
		return OrgDeactivated
	case g.Until != nil && !now.Before(*g.Until):
		return Expired
	case len(usableScopes(g, p, c)) == 0:
		return NoScope
	}
	return Active
}

// usableScopes returns the scopes that the org granted, the partner may still
// have, and the catalogue still calls read-only.
func usableScopes(g *store.Grant, p *store.Partner, c *scopes.Catalogue) []string {
	return slices.DeleteFunc(forPartners(g.Scopes, c), func(n string) bool { return !slices.Contains(p.Scopes, n) })
}

// forPartners returns the scopes that the catalogue still lets partners have.
func forPartners(names []string, c *scopes.Catalogue) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !c.ForPartners(n) })
}
