// Package health serves whether the process is alive and ready, and the OpenAPI
// description of the public API.
package health

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/coalesce"
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

// readyFor is how long the result of a check of the store serves everybody who asks
// whether this process is ready. The check writes, and anybody may ask.
const readyFor = time.Second

// documentTime is how long sending the description may take.
const documentTime = 5 * time.Second

// Options are what a Handler needs.
type Options struct {
	Store  interface{ Ping(context.Context) error }
	Feed   *feed.Feed
	Issuer func() string
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
	return &Handler{o: o, openAPI: sync.OnceValue(func() []byte {
		return []byte(strings.ReplaceAll(openAPI, serverPlaceholder, strings.TrimSuffix(o.Issuer(), "/")))
	})}
}

// ping returns the result of a check of the store that is at most readyFor old.
func (h *Handler) ping(ctx context.Context) error {
	if err, known := h.recent(); known {
		return err
	}
	shared := context.WithoutCancel(ctx) // Ping ends by the store's timeouts
	result, _, _, err := h.pings.Do(ctx, struct{}{}, func(int) (error, error) {
		if err, known := h.recent(); known {
			return err, nil
		}
		err := h.o.Store.Ping(shared)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.pinged, h.result = time.Now(), err
		return err, nil
	})
	return cmp.Or(err, result)
}

func (h *Handler) recent() (result error, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.result, !h.pinged.IsZero() && time.Since(h.pinged) < readyFor
}

type status struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// Live is GET /healthz: the process can respond.
func (h *Handler) Live(c *gin.Context) error {
	web.JSON(c, http.StatusOK, status{Status: "ok"})
	return nil
}

// Ready is GET /readyz: 200 if the store can be reached and written and the feed
// is fresh, otherwise 503 with the reason.
func (h *Handler) Ready(c *gin.Context) error {
	reason := ""
	if err := h.ping(c.Request.Context()); err != nil {
		reason = "the store cannot be reached or written"
		if errors.Is(err, store.ErrUnsuitable) {
			reason = "the settings of the store would lose records"
		}
		web.EventOf(c).Cause = err
	} else if _, err := h.o.Feed.Fresh(c.Request.Context()); err != nil {
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
func (h *Handler) OpenAPI(c *gin.Context) error {
	// It is longer than what a peer that reads nothing lets through.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(documentTime))
	c.Data(http.StatusOK, "application/yaml", h.openAPI())
	return nil
}
