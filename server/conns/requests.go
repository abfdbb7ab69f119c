package conns

import (
	"context"
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/grantd/grantd/server/field"
)

const (
	// shares is how many counters there are for the requests of networks. Two
	// networks with one counter share a share.
	shares = 1 << 12
	// stallTime is how long a body may take while places are scarce. The connections
	// of longer ones are closed.
	stallTime = 250 * time.Millisecond
	// stalledStreams is how many requests of an HTTP/2 connection wait for their
	// bodies before the connection counts as one that waits. Its other requests end
	// with it.
	stalledStreams = 8
	// reapStalled is how many connections whose requests do not arrive are closed at
	// once.
	reapStalled = 256
)

// requests counts the requests in progress without a lock.
type requests struct {
	all      atomic.Int32
	networks []atomic.Int32
	wide     []atomic.Int32
	seed     maphash.Seed
}

func newRequests() requests {
	return requests{networks: make([]atomic.Int32, shares), wide: make([]atomic.Int32, shares), seed: maphash.MakeSeed()}
}

// shareOf returns the counters of the address: that of its network, and that of its
// /48 or nil.
func (r *requests) shareOf(from netip.Addr) (network, wide *atomic.Int32) {
	full := from.As16()
	if from.Is6() && !from.Is4In6() {
		wide = &r.wide[maphash.Bytes(r.seed, full[:6])%shares]
		return &r.networks[maphash.Bytes(r.seed, full[:8])%shares], wide
	}
	return &r.networks[maphash.Bytes(r.seed, full[:])%shares], nil
}

type connKey struct{}

// Context is the ConnContext hook of the HTTP server: it lets Enter find the
// connection of a request.
func Context(ctx context.Context, c net.Conn) context.Context {
	if conn := connOf(c); conn != nil {
		return context.WithValue(ctx, connKey{}, conn)
	}
	return ctx
}

// Place is the place of a request among those in progress. The zero Place is that of
// a request that is not counted.
type Place struct {
	listener      *Listener
	conn          *Conn // nil: it is not known
	network, wide *atomic.Int32
}

// Enter counts a request from the address that begins, and reports whether it may. Without
// TLS, only the first request shows that a connection speaks HTTP/2, so Enter counts the
// connection as one then. Leave must be called at the end of a request that may.
func (l *Listener) Enter(r *http.Request, from netip.Addr) (Place, bool) {
	p := Place{listener: l}
	p.conn, _ = r.Context().Value(connKey{}).(*Conn)
	if r.ProtoMajor == 2 && p.conn != nil && !p.conn.http2.Load() && !l.TakeHTTP2(p.conn) {
		l.Refuse(RefusedHTTP2, "connections", l.o.HTTP2)
		return Place{}, false
	}
	all, mine := int(l.requests.all.Add(1)), int32(0)
	if most := int32(l.o.RequestsPerNetwork); most > 0 {
		p.network, p.wide = l.requests.shareOf(from)
		mine = p.network.Add(1)
		over := mine > most
		if p.wide != nil {
			both := p.wide.Add(1)
			mine, over = max(mine, both), over || both > 2*most
		}
		if over {
			p.Leave()
			l.closeStalled()
			l.Refuse(RefusedNetworkRequests, "network", field.Network(from).String(), "requests", most)
			return Place{}, false
		}
	}
	if l.o.Requests > 0 && all > l.o.Requests*3/4 {
		l.closeStalled()
		// The last places are for networks that have hardly any.
		if all > l.o.Requests || all > l.o.Requests*7/8 && mine > fewConns {
			p.Leave()
			l.Refuse(RefusedRequests, "requests", l.o.Requests)
			return Place{}, false
		}
	}
	return p, true
}

// Leave counts a request that ends.
func (p Place) Leave() {
	if p.listener == nil {
		return
	}
	p.listener.requests.all.Add(-1)
	for _, share := range [...]*atomic.Int32{p.network, p.wide} {
		if share != nil {
			share.Add(-1)
		}
	}
}

// Hold is Leave for a request that becomes a stream: it may go on for hours, and the
// caller of Hold bounds how many there are. On HTTP/1, the connection leaves the share
// of its network, and the bound of all connections, until it closes. One of HTTP/2
// carries other requests too, and stays. The Place must not be used afterward.
func (p Place) Hold() {
	if p.listener == nil {
		return
	}
	p.Leave()
	if p.conn != nil {
		p.listener.hold(p.conn)
	}
}

// hold takes the connection out of the bounds.
func (l *Listener) hold(c *Conn) {
	l.mu.Lock()
	if !c.http2.Load() && !c.removed {
		l.remove(c)
		c.held = true
		l.held++
		l.o.Opened(l.open + l.held)
	}
	l.mu.Unlock()
	boundStream(c.lazyConn.Conn)
}

// Await notes that the request, which began at the time, waits for its body, until
// Arrived.
func (p Place) Await(begun time.Time) {
	if p.conn != nil && p.conn.waiters.Add(1) == 1 {
		p.conn.waiting.Store(int64(begun.Sub(p.listener.start)))
	}
}

// Arrived notes that the body has come, or never will.
func (p Place) Arrived() {
	if p.conn != nil && p.conn.waiters.Add(-1) == 0 {
		p.conn.waiting.Store(0)
	}
}

// closeStalled closes connections whose requests have waited for their bodies for
// longer than stallTime. Those of proxies carry the requests of others too, and
// stay.
func (l *Listener) closeStalled() {
	l.mu.Lock()
	var stalled []*Conn
	if time.Since(l.stalled) >= searchEvery {
		l.stalled = time.Now()
		before := int64(l.now() - stallTime)
		for _, n := range l.networks {
			if n.exempt {
				continue
			}
			for _, c := range n.conns {
				if since := c.waiting.Load(); since != 0 && since <= before && (!c.http2.Load() || c.waiters.Load() >= stalledStreams) {
					stalled = append(stalled, c)
				}
			}
		}
		stalled = l.removeOldest(stalled, reapStalled, func(c *Conn) int64 { return c.waiting.Load() })
	}
	l.mu.Unlock()
	closeAll(stalled)
}
