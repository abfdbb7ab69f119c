package partners

import (
	"context"

	"github.com/grantd/grantd/store"
)

// Org is an org that agreed, as the partner sees it.
type Org struct {
	ID   string `json:"orgId"`
	Name string `json:"orgName"`

	Terms Terms `json:"-"` // what it grants; see withGrants
}

// Partner returns the partner of the bearer; nil if it was deleted a moment ago.
func (t *OnBehalf) Partner(ctx context.Context, b Bearer) (*store.Partner, error) {
	found, err := t.o.Partners.Get(ctx, b.Token.PartnerID)
	return found.Record, err
}

// ListOrgs returns up to limit orgs that agree now, by id, after the org with
// the given id. more reports whether there may be more.
func (t *OnBehalf) ListOrgs(ctx context.Context, b Bearer, after string, limit int) (orgs []Org, more bool, err error) {
	orgs = []Org{}
	partner, err := t.o.Partners.Get(ctx, b.Token.PartnerID)
	if err != nil || partner.Record == nil {
		return orgs, false, err
	}
	p := store.Page{Owner: partner.Record.ID, Limit: limit}
	if after != "" {
		p.After = store.GrantID(p.Owner, after)
	}
	for {
		grants, err := t.o.List.List(ctx, p)
		if err != nil {
			return nil, false, err
		}
		for i := range grants {
			if len(orgs) == limit {
				return orgs, true, nil
			}
			p.After = grants[i].ID()
			org, state, err := t.checkState(ctx, partner.Record, &grants[i])
			if err != nil {
				return nil, false, err
			}
			if state == Active {
				g := &grants[i]
				orgs = append(orgs, Org{org.ID, org.Name, Terms{usableScopes(g, partner.Record, t.o.Catalogue()), g.Endpoints, g.Until}})
			}
		}
		if len(grants) < limit {
			return orgs, false, nil
		}
	}
}
