// Package health serves whether the process is alive and ready, and the OpenAPI
// description of the public API.
package health

import (
	"context"
	_ "embed"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/coalesce"
	"github.com/grantd/grantd/server/feed"
	"github.com/grantd/grantd/server/web"
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

// documentTime is how long sending the description may take.
const documentTime = 5 * time.Second

// Options are what a Handler needs.
type Options struct {
	Store interface {
		Ping(context.Context) error
		Shared() bool
	}
	Feed interface {
		Fresh(context.Context) (feed.Mark, error)
	}
	Issuer func() string
	// Draining reports whether the process is about to stop; nil: never.
	Draining func() bool
	// Warnings returns what is wrong although requests are served; nil: nothing is.
	Warnings func() []Problem
}

// Handler serves the endpoints.
type Handler struct {
	o       Options
	openAPI func() []byte
	pings   coalesce.Group[struct{}, error]

	mu     sync.Mutex
	pinged time.Time
	result error // of the check at pinged
}

// New returns a Handler.
func New(o Options) *Handler {
	if o.Draining == nil {
		o.Draining = func() bool { return false }
	}
	if o.Warnings == nil {
		o.Warnings = func() []Problem { return nil }
	}
	return &Handler{o: o, openAPI: sync.OnceValue(func() []byte {
		return []byte(strings.ReplaceAll(openAPI, serverPlaceholder, strings.TrimSuffix(o.Issuer(), "/")))
	})}
}

type status struct {
	Status string `json:"status"`
}

// Live is GET /healthz: the process can respond.
func (h *Handler) Live(c *gin.Context) error {
	web.JSON(c, http.StatusOK, status{Status: "ok"})
	return nil
}

// OpenAPI is GET /openapi.yaml.
func (h *Handler) OpenAPI(c *gin.Context) error {
	// It is longer than what a peer that reads nothing lets through.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(documentTime))
	c.Data(http.StatusOK, "application/yaml", h.openAPI())
	return nil
}
