package notices

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/web"
)

// AdminRoutes returns the admin endpoints of notices (ADMIN_API.md). s is nil if no
// webhook is configured.
func AdminRoutes(s *Service) []admin.Route {
	h := handler{s}
	return []admin.Route{
		{Method: http.MethodGet, Path: "/notices", Handle: h.show},
		{Method: http.MethodPost, Path: "/notices/test", Handle: h.test},
	}
}

type handler struct{ s *Service }

var errOff = apierr.New(apierr.Conflict, "notices.webhook.url is not set: there is no webhook to tell anything")

// State is what waits to be sent.
type State struct {
	Pending int        `json:"pending"`
	Oldest  *time.Time `json:"oldest_at"` // since when the oldest waits
	Since   *time.Time `json:"credentials_read_at"`
}

// Tested is the result of a test.
type Tested struct {
	NoticeID  string `json:"notice_id"`
	Delivered bool   `json:"delivered"`
	Problem   string `json:"problem,omitempty"`
}

func (h handler) show(c *gin.Context) error {
	if h.s == nil {
		return errOff
	}
	q, err := h.s.load(c.Request.Context())
	if err != nil {
		return err
	}
	out := State{Pending: len(q.Pending)}
	if out.Pending > 0 {
		out.Oldest = &q.Pending[0].Queued
	}
	if !q.Since.IsZero() {
		out.Since = &q.Since
	}
	web.JSON(c, http.StatusOK, out)
	return nil
}

func (h handler) test(c *gin.Context) error {
	if h.s == nil {
		return errOff
	}
	out, err := h.s.Test(c.Request.Context())
	if err != nil {
		return err
	}
	web.JSON(c, http.StatusOK, out)
	return nil
}

// Test posts a notice of the kind test at once, from this replica and past the queue.
func (s *Service) Test(ctx context.Context) (Tested, error) {
	now := s.now()
	n := build(kindTest, now, now, "test", "this is a test: nothing has happened", details{}, rand.Text())
	body, err := s.body(n)
	if err != nil {
		return Tested{}, err
	}
	out := Tested{NoticeID: n.ID, Delivered: true}
	if f := s.o.Post.Post(ctx, n.ID, body); f != nil {
		out.Delivered, out.Problem = false, f.Why
	}
	return out, nil
}
