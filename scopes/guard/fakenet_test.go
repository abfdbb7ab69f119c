package guard

import (
	"context"
	"errors"
	"net"
	"sync"
)

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   *sync.Once
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects to the server.
func (s *fakeServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	s.mu.Lock()
	if s.away {
		s.mu.Unlock()
		return nil, errors.New("connection refused")
	}
	s.all = append(s.all, near)
	s.mu.Unlock()
	select {
	case s.conns <- &holed{far, s}:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// holed loses what is written if the server has a hole.
type holed struct {
	net.Conn
	s *fakeServer
}

func (h *holed) Write(b []byte) (int, error) {
	h.s.mu.Lock()
	hole := h.s.hole
	h.s.mu.Unlock()
	if hole {
		return len(b), nil
	}
	return h.Conn.Write(b)
}

// cut closes every connection.
func (s *fakeServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.all {
		_ = c.Close()
	}
	s.all = nil
}
