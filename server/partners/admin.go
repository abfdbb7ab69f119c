package partners

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// AdminRoutes returns the admin endpoints of partners (ADMIN_API.md).
func AdminRoutes(s *Service) []admin.Route {
	h := adminHandler{s}
	grants := func(c *gin.Context, after string, limit int) ([]GrantView, error) {
		return s.ListGrants(c.Request.Context(), c.Param("id"), after, limit)
	}
	grantsOfOrg := func(c *gin.Context, after string, limit int) ([]GrantView, error) {
		return s.ListGrantsOfOrg(c.Request.Context(), c.Param("id"), after, limit)
	}
	show := func(_ context.Context, p store.Partner) (View, error) { return view(p), nil }
	version := func(v View) uint64 { return v.Version }
	grantVersion := func(v GrantView) uint64 { return v.Version }
	grantID := func(c *gin.Context) string { return store.GrantID(c.Param("id"), c.Param("org")) }
	return append(admin.RecordRoutes("/partners", s.Registry, show),
		admin.ListRoute("/partners", "partners", admin.AllRecords(s.Registry, show), func(v View) string { return v.PartnerID }),
		admin.PutRoute("/partners/:id", admin.ByID, s.Put, version),
		admin.ListRoute("/partners/:id/orgs", "orgs", grants, func(v GrantView) string { return store.GrantID(v.PartnerID, v.OrgID) }),
		admin.ListRoute("/orgs/:id/partners", "partners", grantsOfOrg, func(v GrantView) string { return v.PartnerID }),
		admin.GetRoute("/partners/:id/orgs/:org", grantID, s.Grant, grantVersion),
		admin.PutRoute("/partners/:id/orgs/:org", grantID, s.PutGrant, grantVersion),
		admin.DeleteRoute("/partners/:id/orgs/:org", grantID, s.Withdraw),
		admin.WholeListRoute("/partners/:id/tokens", "tokens", h.listTokens, func(v TokenView) string { return v.ID }),
		admin.Route{Method: http.MethodPost, Path: "/partners/:id/tokens", Handle: h.createToken},
		admin.Route{Method: http.MethodDelete, Path: "/partners/:id/tokens", Handle: h.revokeTokens},
		admin.Route{Method: http.MethodDelete, Path: "/partners/:id/tokens/:tid", Handle: h.revokeToken},
	)
}

type adminHandler struct{ s *Service }

func (h adminHandler) listTokens(c *gin.Context) ([]TokenView, error) {
	return h.s.ListTokens(c.Request.Context(), c.Param("id"))
}

func (h adminHandler) createToken(c *gin.Context) error {
	var spec TokenSpec
	if err := web.ReadJSON(c, &spec, false); err != nil {
		return err
	}
	created, err := h.s.CreateToken(c.Request.Context(), admin.ActorOf(c), c.Param("id"), spec)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusCreated, created)
	return nil
}

// revokeTokens revokes all tokens of the partner; void-tokens does the same.
func (h adminHandler) revokeTokens(c *gin.Context) error {
	if _, err := h.s.VoidTokens(c.Request.Context(), admin.ActorOf(c), c.Param("id")); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (h adminHandler) revokeToken(c *gin.Context) error {
	if err := h.s.RevokeToken(c.Request.Context(), admin.ActorOf(c), c.Param("id"), c.Param("tid")); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
