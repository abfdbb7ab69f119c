package conns

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

// Conn is an open connection.
type Conn struct {
	lazyConn
	listener *Listener
	network  *network
	// idle is since when no request is in progress; 0: one is. waiting is since when
	// waiters requests have been waiting for their bodies; 0: none is. Both count
	// from Listener.start.
	idle, waiting atomic.Int64
	waiters       atomic.Int32
	early         atomic.Int32 // how much more the peer may send; -1: there was a request
	http2         atomic.Bool  // it is counted as one of HTTP/2; changed under Listener.mu
	// guarded by Listener.mu
	removed bool
	held    bool // see Place.Hold
}

var errEarly = errors.New("too much was sent before the first request")

// Read reads from the connection. Before the first request, it fails once the peer
// has sent more than that needs.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.lazyConn.Read(b)
	if c.early.Load() >= 0 && c.early.Add(-int32(n)) < 0 && c.idle.Load() != 0 {
		return 0, errEarly
	}
	return n, err
}

// Hello notes that the ClientHello of the connection is complete.
func Hello(c net.Conn) {
	if conn := connOf(c); conn != nil {
		conn.early.Add(earlyBytes - helloBytes)
	}
}

// Close closes the connection and gives its place back.
func (c *Conn) Close() error {
	c.listener.mu.Lock()
	if c.held {
		c.held = false
		c.listener.held--
		c.listener.o.Opened(c.listener.open + c.listener.held)
	}
	c.listener.remove(c)
	c.listener.mu.Unlock()
	return c.lazyConn.Close()
}

// connOf returns the connection below c, which may be one of TLS.
func connOf(c net.Conn) *Conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	conn, _ := c.(*Conn)
	return conn
}

// Observe is the ConnState hook of the HTTP server: it notes which connections are
// idle.
func Observe(c net.Conn, s http.ConnState) {
	conn := connOf(c)
	switch {
	case conn == nil:
	case s == http.StateActive:
		conn.idle.Store(0)
		conn.early.Store(-1)
	case s == http.StateIdle:
		conn.idle.Store(int64(conn.listener.now()))
	}
}

// TakeHTTP2 reports whether the connection may speak HTTP/2, and counts it if so. A
// quarter of the bound is for proxies.
func (l *Listener) TakeHTTP2(c net.Conn) bool {
	conn := connOf(c)
	if conn == nil || l.o.HTTP2 == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := conn.network
	if conn.http2.Load() {
		return true
	}
	most := l.o.HTTP2
	if !n.exempt {
		most -= most / 4
	}
	if conn.removed || l.http2 >= most || !n.exempt && n.http2 >= l.o.HTTP2PerNetwork {
		return false
	}
	conn.http2.Store(true)
	n.http2++
	l.http2++
	return true
}
