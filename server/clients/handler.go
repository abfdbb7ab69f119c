package clients

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/field"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Routes returns the admin endpoints of clients and secrets.
func Routes(s *Service) []admin.Route {
	h := handler{s}
	show := func(_ context.Context, c store.Client) (View, error) { return viewAt(c, s.o.Now()), nil }
	return append(admin.RecordRoutes("/clients", s.Registry, show),
		admin.ScanRoute("/clients", "clients", h.listClients, "org_id", "state", "q"),
		admin.ScanRoute("/secrets", "secrets", h.allSecrets, "client_id", "expires_within", "unused_for", "older_than", "state"),
		admin.Route{Method: http.MethodPut, Path: "/clients/:id", Handle: h.put},
		admin.Route{Method: http.MethodPost, Path: "/clients", Handle: h.create},
		admin.Route{Method: http.MethodPost, Path: "/clients/import", Handle: admin.Call(s.Import)},
		admin.Route{Method: http.MethodPatch, Path: "/clients/:id", Handle: h.update},
		admin.WholeListRoute("/clients/:id/secrets", "secrets", h.secrets, func(v SecretView) string { return v.ID }),
		admin.Route{Method: http.MethodPost, Path: "/clients/:id/secrets", Handle: h.rotate},
		admin.Route{Method: http.MethodPost, Path: "/clients/:id/secrets/undo-rotation", Handle: h.undo},
		admin.Route{Method: http.MethodPost, Path: "/clients/:id/secrets/:sid/extend", Handle: h.extend},
		admin.Route{Method: http.MethodDelete, Path: "/clients/:id/secrets/:sid", Query: []string{"void_tokens"}, Handle: h.endSecret},
	)
}

type handler struct{ s *Service }

func (h handler) create(c *gin.Context) error {
	var spec NewSpec
	if err := web.ReadJSON(c, &spec, false); err != nil {
		return err
	}
	created, err := h.s.Create(c.Request.Context(), admin.ActorOf(c), spec)
	if err != nil {
		return err
	}
	admin.SendRecord(c, http.StatusCreated, created.Version, created)
	return nil
}

func (h handler) put(c *gin.Context) error {
	var spec NewSpec
	if err := web.ReadJSON(c, &spec, false); err != nil {
		return err
	}
	version, err := admin.IfMatch(c)
	if err != nil {
		return err
	}
	created, isNew, err := h.s.Put(c.Request.Context(), admin.ActorOf(c), c.Param("id"), version, spec)
	switch {
	case err != nil:
		return err
	case isNew:
		admin.SendRecord(c, http.StatusCreated, created.Version, created)
	default:
		admin.SendRecord(c, http.StatusOK, created.Version, created.View)
	}
	return nil
}

func (h handler) update(c *gin.Context) error {
	var spec Spec
	if err := web.ReadPatch(c, &spec); err != nil {
		return err
	}
	version, err := admin.IfMatch(c)
	if err != nil {
		return err
	}
	v, err := h.s.Update(c.Request.Context(), admin.ActorOf(c), c.Param("id"), version, spec)
	if err != nil {
		return err
	}
	admin.SendRecord(c, http.StatusOK, v.Version, v)
	return nil
}

func (h handler) secrets(c *gin.Context) ([]SecretView, error) {
	return h.s.Secrets(c.Request.Context(), c.Param("id"))
}

func (h handler) rotate(c *gin.Context) error {
	grace, err := admin.ReadGrace(c, DefaultGrace, errGrace)
	if err != nil {
		return err
	}
	rotated, err := h.s.Rotate(c.Request.Context(), admin.ActorOf(c), c.Param("id"), grace)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusCreated, rotated)
	return nil
}

func (h handler) undo(c *gin.Context) error {
	undone, err := h.s.Undo(c.Request.Context(), admin.ActorOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, undone)
	return nil
}

func (h handler) extend(c *gin.Context) error {
	var body struct {
		For string `json:"for"`
	}
	if err := web.ReadJSON(c, &body, false); err != nil {
		return err
	}
	more, err := field.ParseDuration(body.For)
	if err != nil {
		return errFor
	}
	extended, err := h.s.ExtendSecret(c.Request.Context(), admin.ActorOf(c), c.Param("id"), c.Param("sid"), more)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, extended)
	return nil
}

func (h handler) endSecret(c *gin.Context) error {
	void := c.Query("void_tokens")
	if void != "" && void != "true" && void != "false" {
		return bad("void_tokens", "void_tokens must be true or false")
	}
	err := h.s.EndSecret(c.Request.Context(), admin.ActorOf(c), c.Param("id"), c.Param("sid"), void == "true")
	if err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
