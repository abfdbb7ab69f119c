package orgs

import (
	"context"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/store"
)

// Routes returns the admin endpoints of orgs.
func Routes(s *Service) []admin.Route {
	show := func(_ context.Context, o store.Org) (View, error) { return view(o), nil }
	return append(admin.RecordRoutes("/orgs", s.Registry, show),
		admin.ListRoute("/orgs", "orgs", admin.AllRecords(s.Registry, show), func(v View) string { return v.OrgID }),
		admin.PutRoute("/orgs/:id", admin.ByID, s.Put, func(v View) uint64 { return v.Version }))
}
