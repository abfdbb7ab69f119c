package orgs

import "github.com/grantd/grantd/server/admin"

// Routes are the admin endpoints of orgs (contract §4).
func Routes(s *Service) []admin.Route {
	version := func(v View) uint64 { return v.Version }
	return append(admin.RecordRoutes("/orgs", s, version),
		admin.ListRoute("/orgs", "orgs", admin.Unfiltered(s.List), func(v View) string { return v.OrgID }),
		admin.PutRoute("/orgs/:id", admin.ByID, s.Put, version))
}
