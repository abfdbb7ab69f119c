package conns

import (
	"context"
	"net"
	"net/http"
)

type connKey struct{}

// Context is the ConnContext hook of the HTTP server: it lets Enter find the
// connection of a request.
func Context(ctx context.Context, c net.Conn) context.Context {
	if conn := connOf(c); conn != nil {
		return context.WithValue(ctx, connKey{}, conn)
	}
	return ctx
}

// Enter counts a request that begins, and reports whether it may. Leave must be
// called at the end of a request that may.
func (l *Listener) Enter(r *http.Request) bool {
	n := shareOf(r)
	if l.o.Requests > 0 && l.requests.Add(1) > int64(l.o.Requests) {
		l.requests.Add(-1)
		l.refuse(RefusedBusy, "requests", l.o.Requests)
		return false
	}
	if n != nil && l.o.RequestsPerNetwork > 0 && n.requests.Add(1) > int64(l.o.RequestsPerNetwork) {
		l.Leave(r)
		l.refuse(RefusedBusy, "network", n.prefix.String(), "requests", l.o.RequestsPerNetwork)
		return false
	}
	return true
}

// Leave counts a request that ends.
func (l *Listener) Leave(r *http.Request) {
	if l.o.Requests > 0 {
		l.requests.Add(-1)
	}
	if n := shareOf(r); n != nil && l.o.RequestsPerNetwork > 0 {
		n.requests.Add(-1)
	}
}

// shareOf returns the network that the request counts for, or nil.
func shareOf(r *http.Request) *network {
	conn, _ := r.Context().Value(connKey{}).(*Conn)
	if conn == nil || conn.network.exempt {
		return nil
	}
	return conn.network
}
