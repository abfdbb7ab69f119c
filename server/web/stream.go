package web

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/conns"
)

// Stream is a response that goes on for as long as its handler runs.
type Stream struct {
	writer  http.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex
	until  time.Time // the write deadline
	ending bool      // it stays
}

// BeginStream begins a response without an end, with the headers that are set. The
// request leaves its place among those in progress, and its connection its share: the
// handler bounds how many streams there are. The latency of the request is the time
// until now. End must be called when the handler is done.
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
			return s.failed(err)
		}
	}
	return s.failed(s.control.Flush())
}

// failed returns the error of a write. On HTTP/2, that of one that took too long does
// not say so.
func (s *Stream) failed(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil || time.Now().Before(s.until) {
		return err
	}
	return errors.Join(err, os.ErrDeadlineExceeded)
}

// Extend moves the deadline of writes, which ends an HTTP/2 stream also while nothing
// is written. It is moved once half of the time has passed.
func (s *Stream) Extend(within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); !s.ending && s.until.Sub(now) < within/2 {
		s.until = now.Add(within)
		_ = s.control.SetWriteDeadline(s.until)
	}
}

// Finish bounds the time of all writes from now on, and of the one that waits. It may be
// called by another goroutine, before End.
func (s *Stream) Finish(within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending, s.until = true, time.Now().Add(within)
	_ = s.control.SetWriteDeadline(s.until)
}

// End lets the connection end with the response: net/http would wait for what is left
// of the request, without a bound.
func (s *Stream) End() { _ = s.control.SetReadDeadline(time.Now()) }
