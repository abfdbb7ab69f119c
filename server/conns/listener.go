package conns

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// reapBatch is how many idle connections are closed at once: finding them
	// means looking at many.
	reapBatch = 128
	// reapAgain is how soon a search that found no idle connection is repeated.
	reapAgain = 50 * time.Millisecond
	// youngest is the age below which a connection without a request is not idle:
	// its first request may be on the way.
	youngest = 250 * time.Millisecond
	// fewConns is how many connections a network may have and still use a place of
	// the reserve.
	fewConns  = 4
	warnEvery = time.Minute
)

// Reasons for refusing a connection or a request.
const (
	RefusedNetwork = "network" // the caller's network has its share of connections
	RefusedFull    = "full"    // the listener has all the connections that it can have
	RefusedBusy    = "busy"    // too many requests are in progress, of the network or of all
)

// Options are what a Listener needs. A bound of 0 is none.
type Options struct {
	Name       string // of the listener, for the log
	Max        int    // connections, the reserve included
	Reserve    int    // of them for networks that have hardly any
	PerNetwork int    // connections of one network

	Requests           int // in progress
	RequestsPerNetwork int
	HTTP2              int // connections that may speak HTTP/2
	HTTP2PerNetwork    int

	// Exempt are networks without a share: proxies, whose connections carry the
	// requests of many callers.
	Exempt []netip.Prefix

	Opened  func(connections int) // is called with the number of open connections
	Refused func(reason string)   // is called for each refused connection or request
	Log     *slog.Logger
}

// Listener accepts the connections of a listener within its bounds.
type Listener struct {
	net.Listener
	o        Options
	requests atomic.Int64

	mu       sync.Mutex
	networks map[netip.Prefix]*network
	open     int
	http2    int
	searched time.Time // when a search among all networks last found nothing
	warnings map[string]*warning
}

// network is a network with open connections.
type network struct {
	prefix   netip.Prefix
	exempt   bool
	requests atomic.Int64
	// guarded by Listener.mu
	conns    []*Conn // the oldest first
	http2    int
	searched time.Time
}

// Conn is an open connection.
type Conn struct {
	lazyConn
	listener *Listener
	network  *network
	accepted time.Time
	idle     atomic.Bool // no request is in progress
	// guarded by Listener.mu
	http2   bool
	removed bool
}

// Listen returns a Listener that accepts from l.
func Listen(l net.Listener, o Options) *Listener {
	return &Listener{Listener: l, o: o, networks: map[netip.Prefix]*network{}, warnings: map[string]*warning{}}
}

// Accept returns the next connection that is within the bounds. It closes the
// others.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				l.refuse(RefusedFull, "error", err)
				l.mu.Lock()
				victims := l.reapAny(true)
				l.mu.Unlock()
				closeAll(victims)
			}
			return nil, err
		}
		if conn := l.admit(c); conn != nil {
			return conn, nil
		}
		_ = c.Close()
	}
}

// admit returns the connection with its place among the others, or nil if there is
// no place for it.
func (l *Listener) admit(c net.Conn) *Conn {
	l.mu.Lock()
	n := l.networkOf(c)
	var victims []*Conn
	share := l.o.PerNetwork > 0 && !n.exempt && len(n.conns) >= l.o.PerNetwork
	switch {
	case share:
		victims = l.reapNetwork(n)
	case l.o.Max > 0 && l.open >= l.o.Max-max(l.o.Reserve, l.o.Max/8):
		victims = l.reapAny(l.open >= l.o.Max-l.o.Reserve)
	}
	reason := ""
	switch free := l.o.Max - l.open; {
	case share && len(victims) == 0:
		reason = RefusedNetwork
	case l.o.Max > 0 && (free <= 0 || free <= l.o.Reserve && len(n.conns) >= fewConns && !n.exempt):
		reason = RefusedFull
	}
	conn := &Conn{lazyConn: lazyConn{Conn: c}, listener: l, network: n, accepted: time.Now()}
	if reason == "" {
		conn.idle.Store(true)
		n.conns = append(n.conns, conn)
		l.networks[n.prefix] = n
		l.open++
		l.o.Opened(l.open)
	}
	held := len(n.conns)
	l.mu.Unlock()
	closeAll(victims)
	if reason != "" {
		l.refuse(reason, "network", n.prefix.String(), "network_connections", held)
		return nil
	}
	return conn
}

// networkOf returns the network of the connection's peer. All peers on a unix socket
// are one network.
func (l *Listener) networkOf(c net.Conn) *network {
	var prefix netip.Prefix
	tcp, isTCP := c.RemoteAddr().(*net.TCPAddr)
	if isTCP {
		prefix = Network(tcp.AddrPort().Addr())
	}
	if n, ok := l.networks[prefix]; ok {
		return n
	}
	exempt := !isTCP || slices.ContainsFunc(l.o.Exempt, func(p netip.Prefix) bool { return p.Contains(prefix.Addr()) })
	return &network{prefix: prefix, exempt: exempt}
}

// Network returns what counts as one network: an IPv4 address, or the /64 of an IPv6
// address, because a provider gives a whole /64 to one customer.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// reapNetwork removes idle connections of the network, the oldest first. The caller
// holds mu, and closes them after it has released it.
func (l *Listener) reapNetwork(n *network) (victims []*Conn) {
	now := time.Now()
	if now.Sub(n.searched) < reapAgain {
		return nil
	}
	for _, c := range n.conns {
		if len(victims) == reapBatch {
			break
		}
		if c.idle.Load() && now.Sub(c.accepted) >= youngest {
			victims = append(victims, c)
		}
	}
	for _, c := range victims {
		l.remove(c)
	}
	if len(victims) == 0 {
		n.searched = now
	}
	return victims
}

// reapAny removes idle connections of the networks that have more than an equal
// share, and if there are none and the listener is full, of any. It leaves exempt
// networks alone. The caller holds mu, as for reapNetwork.
func (l *Listener) reapAny(full bool) (victims []*Conn) {
	if time.Since(l.searched) < reapAgain {
		return nil
	}
	equal := l.open / max(1, len(l.networks))
	for _, least := range [...]int{equal + 1, 1} {
		if least == 1 && !full {
			break
		}
		for _, n := range l.networks {
			if n.exempt || len(n.conns) < least {
				continue
			}
			if victims = append(victims, l.reapNetwork(n)...); len(victims) >= reapBatch {
				return victims
			}
		}
		if len(victims) > 0 {
			return victims
		}
	}
	l.searched = time.Now()
	return nil
}

func closeAll(conns []*Conn) {
	for _, c := range conns {
		_ = c.lazyConn.Close()
	}
}

// remove gives the connection's place back. The caller holds mu.
func (l *Listener) remove(c *Conn) {
	if c.removed {
		return
	}
	c.removed = true
	n := c.network
	if i := slices.Index(n.conns, c); i >= 0 {
		n.conns = slices.Delete(n.conns, i, i+1)
	}
	if c.http2 {
		n.http2--
		l.http2--
	}
	if len(n.conns) == 0 {
		delete(l.networks, n.prefix)
	}
	l.open--
	l.o.Opened(l.open)
}

// Close closes the connection and gives its place back.
func (c *Conn) Close() error {
	c.listener.mu.Lock()
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
	if conn := connOf(c); conn != nil {
		conn.idle.Store(s == http.StateIdle || s == http.StateNew)
	}
}

// TakeHTTP2 reports whether the connection may speak HTTP/2, and counts it if so.
func (l *Listener) TakeHTTP2(c net.Conn) bool {
	conn := connOf(c)
	if conn == nil || l.o.HTTP2 == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := conn.network
	if conn.http2 {
		return true
	}
	if conn.removed || l.http2 >= l.o.HTTP2 || !n.exempt && n.http2 >= l.o.HTTP2PerNetwork {
		return false
	}
	conn.http2 = true
	n.http2++
	l.http2++
	return true
}

// warning is when a reason was last logged, and how often it occurred since.
type warning struct {
	at    time.Time
	count int
}

// refuse counts what was refused, and logs it at most once a minute for each
// reason: who floods a server must not flood its log too.
func (l *Listener) refuse(reason string, attrs ...any) {
	l.o.Refused(reason)
	l.mu.Lock()
	w, ok := l.warnings[reason]
	if !ok {
		w = &warning{}
		l.warnings[reason] = w
	}
	w.count++
	count := w.count
	due := time.Since(w.at) >= warnEvery
	if due {
		w.at, w.count = time.Now(), 0
	}
	open := l.open
	l.mu.Unlock()
	if due {
		l.o.Log.Warn("connections or requests refused", append([]any{"listener", l.o.Name, "reason", reason, "refused", count, "connections", open}, attrs...)...)
	}
}
