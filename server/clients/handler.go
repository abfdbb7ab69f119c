package clients

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/web"
)

// Routes are the admin endpoints of clients and secrets (contract §4).
func Routes(s *Service) []admin.Route {
	h := handler{s}
	return []admin.Route{
		{Method: http.MethodPost, Path: "/clients", Handle: h.create},
		{Method: http.MethodGet, Path: "/clients", Handle: h.list},
		{Method: http.MethodGet, Path: "/clients/:id", Handle: h.get},
		{Method: http.MethodPatch, Path: "/clients/:id", Handle: h.update},
		{Method: http.MethodDelete, Path: "/clients/:id", Handle: h.delete},
		{Method: http.MethodPost, Path: "/clients/:id/deactivate", Handle: h.deactivate},
		{Method: http.MethodPost, Path: "/clients/:id/reactivate", Handle: h.reactivate},
		{Method: http.MethodPost, Path: "/clients/:id/void-tokens", Handle: h.voidTokens},
		{Method: http.MethodGet, Path: "/clients/:id/secrets", Handle: h.secrets},
		{Method: http.MethodPost, Path: "/clients/:id/secrets", Handle: h.rotate},
		{Method: http.MethodDelete, Path: "/clients/:id/secrets/:sid", Handle: h.endSecret},
	}
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
	admin.ETag(c, created.Version)
	web.JSON(c, http.StatusCreated, created)
	return nil
}

func (h handler) list(c *gin.Context) error {
	after, limit, err := admin.Page(c)
	if err != nil {
		return err
	}
	views, err := h.s.List(c.Request.Context(), after, limit)
	if err != nil {
		return err
	}
	last := ""
	if len(views) > 0 {
		last = views[len(views)-1].ClientID
	}
	web.JSON(c, http.StatusOK, struct {
		Clients    []View `json:"clients"`
		NextCursor string `json:"next_cursor,omitempty"`
	}{views, admin.Cursor(last, len(views), limit)})
	return nil
}

func (h handler) get(c *gin.Context) error {
	return answer(c, func() (View, error) { return h.s.Get(c.Request.Context(), c.Param("id")) })
}

func (h handler) update(c *gin.Context) error {
	var spec Spec
	if err := web.ReadJSON(c, &spec, false); err != nil {
		return err
	}
	version, err := admin.IfMatch(c)
	if err != nil {
		return err
	}
	return answer(c, func() (View, error) {
		return h.s.Update(c.Request.Context(), admin.ActorOf(c), c.Param("id"), version, spec)
	})
}

func (h handler) delete(c *gin.Context) error {
	version, err := admin.IfMatch(c)
	if err != nil {
		return err
	}
	if err := h.s.Delete(c.Request.Context(), admin.ActorOf(c), c.Param("id"), version); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (h handler) deactivate(c *gin.Context) error {
	return answer(c, func() (View, error) {
		return h.s.Deactivate(c.Request.Context(), admin.ActorOf(c), c.Param("id"))
	})
}

func (h handler) reactivate(c *gin.Context) error {
	return answer(c, func() (View, error) {
		return h.s.Reactivate(c.Request.Context(), admin.ActorOf(c), c.Param("id"))
	})
}

func (h handler) voidTokens(c *gin.Context) error {
	return answer(c, func() (View, error) {
		return h.s.VoidTokens(c.Request.Context(), admin.ActorOf(c), c.Param("id"))
	})
}

func (h handler) secrets(c *gin.Context) error {
	views, err := h.s.Secrets(c.Request.Context(), c.Param("id"))
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, struct {
		Secrets []SecretView `json:"secrets"`
	}{views})
	return nil
}

func (h handler) rotate(c *gin.Context) error {
	var body struct {
		Grace *string `json:"grace"`
	}
	if err := web.ReadJSON(c, &body, true); err != nil {
		return err
	}
	grace := DefaultGrace
	if body.Grace != nil {
		var err error
		if grace, err = config.ParseDuration(*body.Grace); err != nil {
			return errGrace
		}
	}
	rotated, err := h.s.Rotate(c.Request.Context(), admin.ActorOf(c), c.Param("id"), grace)
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusCreated, rotated)
	return nil
}

func (h handler) endSecret(c *gin.Context) error {
	void := c.Query("void_tokens")
	if void != "" && void != "true" && void != "false" {
		return bad("void_tokens", "void_tokens is true or false")
	}
	err := h.s.EndSecret(c.Request.Context(), admin.ActorOf(c), c.Param("id"), c.Param("sid"), void == "true")
	if err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func answer(c *gin.Context, do func() (View, error)) error {
	v, err := do()
	if err != nil {
		return err
	}
	admin.ETag(c, v.Version)
	web.JSON(c, http.StatusOK, v)
	return nil
}
