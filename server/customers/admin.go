package customers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/audit"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/imports"
	"github.com/grantd/grantd/server/web"
)

// AdminRoutes returns the admin endpoints of customers (ADMIN_API.md).
func AdminRoutes(s *Service) []admin.Route {
	h := adminHandler{s}
	list := func(c *gin.Context, after string, limit int) ([]View, error) {
		return s.List(c.Request.Context(), c.Query("org_id"), after, limit)
	}
	put := func(ctx context.Context, by audit.Actor, id string, version uint64, spec Spec) (View, bool, error) {
		v, result, err := s.Put(ctx, by, id, version, spec)
		return v, result == imports.Created, err
	}
	return append(admin.RecordRoutes("/customers", s.Registry, s.shown),
		admin.ListRoute("/customers", "customers", list, func(v View) string { return v.CustomerID }, "org_id"),
		admin.PutRoute("/customers/:id", admin.ByID, put, func(v View) uint64 { return v.Version }),
		admin.Route{Method: http.MethodPost, Path: "/customers/import", Handle: admin.Call(s.Import)},
		admin.Route{Method: http.MethodPost, Path: "/customers/reencrypt", Handle: h.reencrypt},
		admin.Route{Method: http.MethodPost, Path: "/customers/:id/reset-codes", Handle: h.resetCodes},
		admin.Route{Method: http.MethodPost, Path: "/customers/:id/mute", Handle: h.mute},
		admin.Route{Method: http.MethodPost, Path: "/customers/:id/unmute", Handle: h.unmute},
		admin.Route{Method: http.MethodPost, Path: "/customers/search", Handle: h.search, Reads: true},
	)
}

type adminHandler struct{ s *Service }

func (h adminHandler) reencrypt(c *gin.Context) error {
	var in Reencryption
	if err := web.ReadJSON(c, &in, true); err != nil {
		return err
	}
	out, err := h.s.Reencrypt(c.Request.Context(), admin.ActorOf(c), in)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, out)
	return nil
}

func (h adminHandler) resetCodes(c *gin.Context) error {
	var in struct {
		Sent bool `json:"sent"`
	}
	if err := web.ReadJSON(c, &in, true); err != nil {
		return err
	}
	return sendShown(c)(h.s.ResetCodes(c.Request.Context(), admin.ActorOf(c), c.Param("id"), in.Sent))
}

func (h adminHandler) mute(c *gin.Context) error {
	var in struct {
		For *string `json:"for"`
	}
	if err := web.ReadJSON(c, &in, true); err != nil {
		return err
	}
	d := DefaultMute
	if in.For != nil {
		var err error
		if d, err = field.ParseDuration(*in.For); err != nil {
			return errFor
		}
	}
	return sendShown(c)(h.s.Mute(c.Request.Context(), admin.ActorOf(c), c.Param("id"), d))
}

func (h adminHandler) unmute(c *gin.Context) error {
	return sendShown(c)(h.s.Unmute(c.Request.Context(), admin.ActorOf(c), c.Param("id")))
}

func (h adminHandler) search(c *gin.Context) error {
	var in Search
	if err := web.ReadJSON(c, &in, true); err != nil {
		return err
	}
	if in.Phone != "" { // who can try numbers finds out those that responses mask
		if err := admin.RequireWrite(c); err != nil {
			return err
		}
	}
	found, err := h.s.Search(c.Request.Context(), in)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, found)
	return nil
}

// sendShown returns a function that sends the customer, or returns the error.
func sendShown(c *gin.Context) func(Shown, error) error {
	return func(v Shown, err error) error {
		if err != nil {
			return err
		}
		admin.SendRecord(c, http.StatusOK, v.Version, v)
		return nil
	}
}
