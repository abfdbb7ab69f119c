package customers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/web"
)

// AdminRoutes are the admin endpoints of customers (contract §4).
func AdminRoutes(s *Service) []admin.Route {
	h := adminHandler{s}
	list := func(c *gin.Context, after string, limit int) ([]View, error) {
		return s.List(c.Request.Context(), c.Query("org_id"), after, limit)
	}
	version := func(v Shown) uint64 { return v.Version }
	return append(admin.RecordRoutes("/customers", s, version),
		admin.ListRoute("/customers", "customers", list, func(v View) string { return v.CustomerID }),
		admin.Route{Method: http.MethodPut, Path: "/customers/:id", Handle: h.put},
		admin.Route{Method: http.MethodPost, Path: "/customers/import", Handle: h.importAll},
		admin.Route{Method: http.MethodPost, Path: "/customers/:id/reset-codes", Handle: h.resetCodes},
	)
}

type adminHandler struct{ s *Service }

func (h adminHandler) put(c *gin.Context) error {
	var spec Spec
	if err := web.ReadJSON(c, &spec, false); err != nil {
		return err
	}
	version, err := admin.IfMatch(c)
	if err != nil {
		return err
	}
	v, result, err := h.s.Put(c.Request.Context(), admin.ActorOf(c), c.Param("id"), version, spec)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if result == Created {
		status = http.StatusCreated
	}
	admin.Answer(c, status, v.Version, v)
	return nil
}

func (h adminHandler) importAll(c *gin.Context) error {
	var in Import
	if err := web.ReadJSON(c, &in, false); err != nil {
		return err
	}
	out, err := h.s.Import(c.Request.Context(), admin.ActorOf(c), in)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, out)
	return nil
}

func (h adminHandler) resetCodes(c *gin.Context) error {
	v, err := h.s.ResetCodes(c.Request.Context(), admin.ActorOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	admin.Answer(c, http.StatusOK, v.Version, v)
	return nil
}
