package web

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/conns"
)

// Stream is a response that goes on for as long as its handler runs.
type Stream struct {
	writer  http.ResponseWriter
	control *http.ResponseController
	until   time.Time // the write deadline
}

// BeginStream begins a response without an end, with the headers that are set. The
// request leaves its place among those in progress, and its connection its share: the
// handler bounds how many streams there are. The latency of the request is the time
// until now.
func BeginStream(c *gin.Context) *Stream {
	x := exchangeOf(c)
	x.place.Hold()
	x.place = conns.Place{}
	x.answered = time.Now()
	endConnection(c) // it has left its share until it closes
	s := &Stream{writer: c.Writer, control: http.NewResponseController(x.Unwrap())}
	_ = s.control.SetReadDeadline(time.Time{}) // the server's is for a request
	c.Writer.WriteHeader(http.StatusOK)
	return s
}

// Write sends the chunks at once. It fails if the peer does not take them within the
// time.
func (s *Stream) Write(within time.Duration, chunks [][]byte) error {
	s.Extend(within)
	for _, chunk := range chunks {
		if _, err := s.writer.Write(chunk); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

// Extend moves the deadline of writes, which ends an HTTP/2 stream also while nothing
// is written. It is moved once half of the time has passed.
func (s *Stream) Extend(within time.Duration) {
	if now := time.Now(); s.until.Sub(now) < within/2 {
		s.until = now.Add(within)
		_ = s.control.SetWriteDeadline(s.until)
	}
}
