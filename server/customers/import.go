package customers

import (
	"context"
	"errors"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/imports"
	"github.com/grantd/grantd/store"
)

var errImport = apierr.Member("customers", "customers is a list of 1 to 100 customers")

// Import puts each of the customers, or with Check only reports what putting
// them would do. A customer that is refused has the reason in its result, and
// the others go on; each is written completely or not at all. A failure of the
// store ends the call. When the call is repeated, the customers that were
// written before are reported as unchanged.
// Errors: apierr.InvalidRequest, store.ErrUnavailable.
func (s *Service) Import(ctx context.Context, by audit.Actor, in Import) (imports.Response, error) {
	orgs := map[string]knownOrg{}
	return imports.Each(in.Customers, errImport, func(line ImportLine) (string, error) {
		return s.importLine(ctx, by, line, orgs, in.Check)
	})
}

// knownOrg is the org of a customer, or the error if there is no such org.
type knownOrg struct {
	org store.Org
	err error
}

// importLine puts one customer. orgs holds the orgs of earlier lines.
func (s *Service) importLine(ctx context.Context, by audit.Actor, line ImportLine, orgs map[string]knownOrg, check bool) (string, error) {
	next, err := parseSpec(line.CustomerID, line.Spec)
	if err != nil {
		return imports.Refused, err
	}
	of, known := orgs[next.OrgID]
	if !known {
		if of.org, of.err = s.findOrg(ctx, next.OrgID); of.err != nil && !errors.Is(of.err, errNoOrg) {
			return imports.Refused, of.err
		}
		orgs[next.OrgID] = of
	}
	if of.err != nil {
		return imports.Refused, of.err
	}
	if check {
		return s.previewPut(ctx, next, &of.org)
	}
	_, result, err := s.put(ctx, by, 0, next, &of.org)
	return result, err
}

// previewPut returns the result that putting the customer would have.
func (s *Service) previewPut(ctx context.Context, next store.Customer, org *store.Org) (string, error) {
	c, err := s.o.Phones.Get(ctx, next.ID)
	if errors.Is(err, store.ErrNotFound) {
		return imports.Created, nil
	}
	if err != nil {
		return imports.Refused, err
	}
	switch err := replace(&c, next, org, s.Registry.Now()); {
	case err == nil:
		return imports.Updated, nil
	case errors.Is(err, errSame):
		return imports.Unchanged, nil
	default:
		return imports.Refused, err
	}
}
