package web

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/grantd/grantd/server/conns"
)

// shortTimeout is the server's for a request and its response.
const shortTimeout = 200 * time.Millisecond

// serveStream serves the handler of a stream, with TLS and HTTP/2 if so.
func serveStream(t *testing.T, secure, http2 bool, handle func(*gin.Context, *Stream)) *httptest.Server {
	t.Helper()
	e, err := NewEngine(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	e.GET("/", Handle(func(c *gin.Context) error {
		s := BeginStream(c)
		defer s.End()
		handle(c, s)
		return nil
	}))
	s := httptest.NewUnstartedServer(e)
	s.Listener = conns.Listen(s.Listener, conns.Options{TLS: secure, Opened: func(int) {}, Refused: func(string) {}})
	s.Config.ReadTimeout, s.Config.WriteTimeout, s.Config.ConnContext = shortTimeout, shortTimeout, conns.Context
	s.EnableHTTP2 = http2
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// eachWay runs the test over HTTP/1.1, over TLS, and over HTTP/2.
func eachWay(t *testing.T, test func(t *testing.T, secure, http2 bool)) {
	for name, way := range map[string][2]bool{"HTTP/1.1": {false, false}, "TLS": {true, false}, "HTTP/2": {true, true}} {
		t.Run(name, func(t *testing.T) { test(t, way[0], way[1]) })
	}
}

// TestStreamOutlivesTimeouts: those of the server are for requests.
func TestStreamOutlivesTimeouts(t *testing.T) {
	eachWay(t, func(t *testing.T, secure, http2 bool) {
		s := serveStream(t, secure, http2, func(c *gin.Context, s *Stream) {
			tick := time.NewTicker(shortTimeout * 2)
			defer tick.Stop()
			for i := range 4 {
				if err := s.Write(10*time.Second, [][]byte{fmt.Append(nil, i), []byte("\n")}); err != nil {
					t.Error(err)
				}
				select {
				case <-tick.C:
				case <-c.Request.Context().Done():
					t.Error("the request ended")
				}
			}
		})
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if (res.ProtoMajor == 2) != http2 {
			t.Fatal(res.Proto)
		}
		lines := bufio.NewScanner(res.Body)
		n := 0
		for ; lines.Scan(); n++ {
		}
		if n != 4 || lines.Err() != nil {
			t.Errorf("%d lines, %v", n, lines.Err())
		}
	})
}

// TestStreamWithoutReader: a write to a peer that takes nothing fails in time, and sooner
// once the stream must end.
func TestStreamWithoutReader(t *testing.T) {
	for name, within := range map[string]time.Duration{"a write": shortTimeout, "the end": time.Hour} {
		eachWay(t, func(t *testing.T, secure, http2 bool) {
			failed := make(chan error, 1)
			s := serveStream(t, secure, http2, func(_ *gin.Context, s *Stream) {
				if within == time.Hour {
					timer := time.AfterFunc(shortTimeout, func() { s.Finish(shortTimeout) })
					defer timer.Stop()
				}
				var err error
				for err == nil {
					err = s.Write(within, [][]byte{make([]byte, 64<<10)})
				}
				failed <- err
			})
			res, err := s.Client().Get(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			select {
			case err := <-failed:
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s: %v", name, err)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: it waits", name)
			}
		})
	}
}

// TestStreamLeavesNothing: at its end, the connection of HTTP/1 closes although the peer
// has not sent all of its request.
func TestStreamLeavesNothing(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := serveStream(t, secure, false, func(_ *gin.Context, s *Stream) {
			if err := s.Write(time.Second, [][]byte{[]byte("end")}); err != nil {
				t.Error(err)
			}
		})
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if secure {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		for b := make([]byte, 1<<10); err == nil; {
			_, err = c.Read(b)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("TLS %v: the connection stays open", secure)
		}
	}
}
