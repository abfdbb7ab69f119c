package stream

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/apierr"
	"github.com/grantd/grantd/server/web"
)

// Handler serves the stream.
type Handler struct {
	Hub *Hub
	// Authenticate returns the resource server that calls, as for introspection.
	Authenticate func(*gin.Context) (Caller, error)
}

// Headers of a stream, shared by all responses: they must not be changed in place.
var (
	typeEvents = []string{"text/event-stream"}
	unbuffered = []string{"no"} // nginx must not hold events back
)

var errBody = apierr.New(apierr.InvalidRequest, "this request must not have a body")

// Serve serves GET /oauth/revocations.
func (s Handler) Serve(c *gin.Context) error {
	arrived := s.Hub.clock()
	if c.Request.ContentLength != 0 {
		return errBody
	}
	caller, err := s.Authenticate(c)
	if err != nil {
		return err
	}
	header := c.Writer.Header()
	if c.Request.Method == http.MethodHead {
		header["Content-Type"] = typeEvents
		c.Writer.WriteHeader(http.StatusOK)
		return nil
	}
	r, err := s.Hub.open(caller, web.Address(c), arrived, c.Request.Header["Last-Event-Id"])
	if err != nil {
		return err
	}
	why := EndLeft
	defer func() { s.Hub.close(r, why) }()
	header["Content-Type"], header["X-Accel-Buffering"] = typeEvents, unbuffered
	out := web.BeginStream(c)
	defer out.End()
	why = r.serve(c.Request.Context(), out)
	web.EventOf(c).Note = "stream ended: " + string(why)
	return nil
}
