package orgs

import (
	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
)

// Routes are the admin endpoints of orgs (contract §4).
func Routes(s *Service) []admin.Route {
	list := func(c *gin.Context, after string, limit int) ([]View, error) {
		return s.List(c.Request.Context(), after, limit)
	}
	version := func(v View) uint64 { return v.Version }
	return append(admin.RecordRoutes("/orgs", s, version),
		admin.ListRoute("/orgs", "orgs", list, func(v View) string { return v.OrgID }),
		admin.PutRoute("/orgs/:id", admin.ByID, s.Put, version))
}
