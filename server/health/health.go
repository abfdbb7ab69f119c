// Package health serves whether the process is alive and ready, and the OpenAPI
// description of the public API.
package health

import (
	_ "embed"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/web"
	"github.com/grantd/grantd/store"
)

// Paths of the endpoints.
const (
	PathLive    = "/healthz"
	PathReady   = "/readyz"
	PathOpenAPI = "/openapi.yaml"
)

//go:embed openapi.yaml
var openAPI string

// serverPlaceholder is where openapi.yaml gets the issuer.
const serverPlaceholder = "http://127.0.0.1:8080"

// Handler serves the endpoints.
type Handler struct {
	Store  store.Store
	Feed   *feed.Feed
	Issuer func() string
}

type status struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// Live is GET /healthz: the process can respond.
func (h Handler) Live(c *gin.Context) error {
	web.JSON(c, http.StatusOK, status{Status: "ok"})
	return nil
}

// Ready is GET /readyz: 200 if the store can be reached and written and the feed
// is fresh, otherwise 503 with the reason.
func (h Handler) Ready(c *gin.Context) error {
	reason := ""
	if err := h.Store.Ping(c.Request.Context()); err != nil {
		reason = "the store cannot be reached or written"
		if errors.Is(err, store.ErrUnsuitable) {
			reason = "the settings of the store would lose records"
		}
		web.EventOf(c).Cause = err
	} else if _, err := h.Feed.Fresh(c.Request.Context()); err != nil {
		reason = "the feed is not fresh"
		web.EventOf(c).Cause = err
	}
	if reason != "" {
		c.Header("Retry-After", "1")
		web.JSON(c, http.StatusServiceUnavailable, status{Status: "unavailable", Reason: reason})
		return nil
	}
	web.JSON(c, http.StatusOK, status{Status: "ok"})
	return nil
}

// OpenAPI is GET /openapi.yaml.
func (h Handler) OpenAPI(c *gin.Context) error {
	doc := strings.ReplaceAll(openAPI, serverPlaceholder, strings.TrimSuffix(h.Issuer(), "/"))
	c.Data(http.StatusOK, "application/yaml", []byte(doc))
	return nil
}
