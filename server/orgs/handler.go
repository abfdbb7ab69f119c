package orgs

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/web"
)

// Routes are the admin endpoints of orgs (contract §4).
func Routes(s *Service) []admin.Route {
	list := func(c *gin.Context, after string, limit int) ([]View, error) {
		return s.List(c.Request.Context(), after, limit)
	}
	version := func(v View) uint64 { return v.Version }
	return append(admin.RecordRoutes("/orgs", s, version),
		admin.ListRoute("/orgs", "orgs", list, func(v View) string { return v.OrgID }),
		admin.Route{Method: http.MethodPut, Path: "/orgs/:id", Handle: func(c *gin.Context) error { return put(c, s) }})
}

func put(c *gin.Context, s *Service) error {
	var spec Spec
	if err := web.ReadJSON(c, &spec, false); err != nil {
		return err
	}
	version, err := admin.IfMatch(c)
	if err != nil {
		return err
	}
	v, created, err := s.Put(c.Request.Context(), admin.ActorOf(c), c.Param("id"), version, spec)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	admin.Answer(c, status, v.Version, v)
	return nil
}
