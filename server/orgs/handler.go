package orgs

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Routes returns the admin endpoints of orgs.
func Routes(s *Service) []admin.Route {
	show := func(_ context.Context, o store.Org) (View, error) { return view(o), nil }
	return append(admin.StateRoutes("/orgs", s.Registry, show),
		admin.ListRoute("/orgs", "orgs", admin.AllRecords(s.Registry, show), func(v View) string { return v.OrgID }),
		admin.PutRoute("/orgs/:id", admin.ByID, s.Put, func(v View) uint64 { return v.Version }),
		admin.Route{Method: http.MethodDelete, Path: "/orgs/:id", Query: []string{paramMembers, "cursor"}, Handle: handler{s}.delete},
	)
}

type handler struct{ s *Service }

// paramMembers is the query parameter that makes a deletion take along what the
// org has.
const paramMembers = "with_clients_and_customers"

var errMembers = apierr.New(apierr.InvalidRequest, paramMembers+" must be true or false").At(paramMembers)

func (h handler) delete(c *gin.Context) error {
	version, err := admin.IfMatch(c)
	if err != nil {
		return err
	}
	ctx, by, id := c.Request.Context(), admin.ActorOf(c), c.Param("id")
	switch c.Query(paramMembers) {
	case "", "false":
		if err := h.s.Delete(ctx, by, id, version); err != nil {
			return err
		}
		c.Status(http.StatusNoContent)
		return nil
	case "true":
		done, err := h.s.DeleteWithMembers(ctx, by, id, version, c.Query("cursor"))
		if err != nil {
			return err
		}
		web.JSON(c, http.StatusOK, done)
		return nil
	}
	return errMembers
}
