package customers

import (
	"context"
	"errors"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/store"
)

var errImport = bad("customers", "customers is a list of 1 to 100 customers")

// Import puts each of the customers, or with Check only says what would come
// of it. What is wrong with one is said in its place, and the others go on;
// each is written whole or not at all. A store that fails ends the call: what
// was written before is unchanged when the call is repeated.
// Errors: apierr.InvalidRequest, store.ErrUnavailable.
func (s *Service) Import(ctx context.Context, by audit.Actor, in Import) (Imported, error) {
	if len(in.Customers) == 0 || len(in.Customers) > MaxImport {
		return Imported{}, errImport
	}
	out := Imported{Results: make([]ImportResult, 0, len(in.Customers))}
	orgs := map[string]error{}
	for _, line := range in.Customers {
		result, err := s.importLine(ctx, by, line, orgs, in.Check)
		r := ImportResult{Result: result}
		if err != nil {
			var f *apierr.Error
			if !errors.As(err, &f) {
				return Imported{}, err
			}
			r = ImportResult{Result: Refused, Error: f.Description, Field: f.Field}
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}

// importLine puts one customer. orgs remembers which are there.
func (s *Service) importLine(ctx context.Context, by audit.Actor, line ImportLine, orgs map[string]error, check bool) (string, error) {
	next, err := parse(line.CustomerID, line.Spec)
	if err != nil {
		return Refused, err
	}
	known, asked := orgs[next.OrgID]
	if !asked {
		if known = s.hasOrg(ctx, next.OrgID); known != nil && !errors.Is(known, errNoOrg) {
			return Refused, known
		}
		orgs[next.OrgID] = known
	}
	if known != nil {
		return Refused, known
	}
	if check {
		return s.would(ctx, next)
	}
	_, result, err := s.put(ctx, by, 0, next)
	return result, err
}

// would answers what putting the customer would come to.
func (s *Service) would(ctx context.Context, next store.Customer) (string, error) {
	c, err := s.o.Store.Get(ctx, next.ID)
	if errors.Is(err, store.ErrNotFound) {
		return Created, nil
	}
	if err != nil {
		return Refused, err
	}
	switch err := replace(&c, next, s.Registry.Now()); {
	case err == nil:
		return Updated, nil
	case errors.Is(err, errSame):
		return Unchanged, nil
	default:
		return Refused, err
	}
}
