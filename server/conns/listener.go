package conns

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/grantd/grantd/server/field"
)

const (
	// reapMany and reapFew are how many idle connections are closed at once: of all
	// networks, which means looking at many, and of one.
	reapMany, reapFew = 128, 8
	// searchEvery is how soon a search for connections to close is repeated.
	searchEvery = 20 * time.Millisecond
	// minIdle is how long a connection to close has had no request: one that was
	// idle for less may have a request on the way.
	minIdle = time.Second
	// helloBytes is how much a peer may send before its ClientHello is complete, and
	// earlyBytes before the headers of its first request are: TLS keeps what it
	// cannot use yet. An honest peer sends a certificate chain, and a record or two of
	// 16 KiB with the headers and the beginning of a body.
	helloBytes, earlyBytes = 8 << 10, 48 << 10
	// fewConns is how many connections a network may have and still use a place of
	// the reserve.
	fewConns  = 4
	warnEvery = time.Minute
)

// Reasons for refusing a connection or a request.
const (
	RefusedNetwork         = "network"          // the caller's network has its share of connections
	RefusedFull            = "full"             // the listener has all the connections that it can have
	RefusedNetworkRequests = "network_requests" // the caller's network has its share of requests in progress
	RefusedRequests        = "requests"         // too many requests are in progress
	RefusedBodies          = "bodies"           // too many long bodies are in memory
	RefusedHTTP2           = "http2"            // too many connections speak HTTP/2
)

// Options are what a Listener needs. A bound of 0 is none.
type Options struct {
	Name       string // of the listener, for the log
	TLS        bool
	Max        int // connections, the reserve included
	Reserve    int // of them for networks that have hardly any
	PerNetwork int // connections of one network

	Requests           int // in progress
	RequestsPerNetwork int
	HTTP2              int // connections that may speak HTTP/2
	HTTP2PerNetwork    int

	// Exempt are proxies, whose connections carry the requests of many callers:
	// their connections have no share. The requests of the callers do.
	Exempt []netip.Prefix

	Opened  func(connections int) // is called with the number of open connections
	Refused func(reason string)   // is called for each refused connection or request
	Log     *slog.Logger
}

// Listener accepts the connections of a listener within its bounds.
type Listener struct {
	net.Listener
	o        Options
	start    time.Time // origin of the times below
	requests requests

	mu       sync.Mutex
	networks map[netip.Prefix]*network
	wide     map[netip.Prefix]int // connections by /48, for IPv6
	open     int
	held     int // connections that have left the bounds, besides open
	http2    int
	searched time.Time // when all networks were last searched for idle connections
	stalled  time.Time // the same for connections whose requests do not arrive
	warnings map[string]*warning
}

// network is a network with open connections. A proxy is a network too.
type network struct {
	prefix, wide netip.Prefix // wide is the /48 of IPv6, and zero otherwise
	exempt       bool
	// guarded by Listener.mu
	conns    []*Conn // the oldest first
	http2    int
	searched time.Time
}

// Listen returns a Listener that accepts from l.
func Listen(l net.Listener, o Options) *Listener {
	return &Listener{
		Listener: l, o: o, start: time.Now().Add(-time.Nanosecond), requests: newRequests(),
		networks: map[netip.Prefix]*network{}, wide: map[netip.Prefix]int{}, warnings: map[string]*warning{},
	}
}

// Accept returns the next connection that is within the bounds. It closes the
// others.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				l.Refuse(RefusedFull, "error", err)
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

// now returns the time since start; it is never 0.
func (l *Listener) now() time.Duration { return time.Since(l.start) }

// admit returns the connection with its place among the others, or nil if there is
// no place for it.
func (l *Listener) admit(c net.Conn) *Conn {
	l.mu.Lock()
	n := l.networkOf(c)
	var victims []*Conn
	if l.o.Max > 0 && l.open >= l.o.Max-max(l.o.Reserve, l.o.Max/8) {
		victims = l.reapAny(l.open >= l.o.Max-l.o.Reserve)
	}
	reason := ""
	free := l.o.Max - l.open
	switch {
	case l.o.Max > 0 && (free <= 0 || free <= l.o.Reserve && !n.exempt && max(len(n.conns), l.wide[n.wide]) >= fewConns):
		reason = RefusedFull
	case n.exempt || l.o.PerNetwork == 0:
	case l.wide[n.wide] >= 2*l.o.PerNetwork:
		reason = RefusedNetwork
	case len(n.conns) >= l.o.PerNetwork:
		own := l.reapNetwork(n, reapFew)
		if victims = append(victims, own...); len(own) == 0 {
			reason = RefusedNetwork
		}
	}
	conn := &Conn{lazyConn: lazyConn{Conn: c}, listener: l, network: n}
	conn.idle.Store(int64(l.now()))
	conn.early.Store(earlyBytes)
	if l.o.TLS {
		conn.early.Store(helloBytes)
	}
	if reason == "" {
		n.conns = append(n.conns, conn)
		l.networks[n.prefix] = n
		if n.wide.IsValid() {
			l.wide[n.wide]++
		}
		l.open++
		l.o.Opened(l.open + l.held)
	}
	held := len(n.conns)
	l.mu.Unlock()
	closeAll(victims)
	if reason != "" {
		l.Refuse(reason, "network", n.prefix.String(), "network_connections", held)
		return nil
	}
	return conn
}

// networkOf returns the network of the connection's peer. A proxy is a separate one.
// All peers on a unix socket are one.
func (l *Listener) networkOf(c net.Conn) *network {
	n := &network{}
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		peer := tcp.AddrPort().Addr().Unmap().WithZone("")
		n.prefix = field.Network(peer)
		if n.exempt = slices.ContainsFunc(l.o.Exempt, func(p netip.Prefix) bool { return p.Contains(peer) }); n.exempt {
			n.prefix = netip.PrefixFrom(peer, peer.BitLen())
		} else {
			n.wide = wide(peer)
		}
	}
	if known, ok := l.networks[n.prefix]; ok {
		return known
	}
	return n
}

// wide returns the /48 of an IPv6 address, and the zero Prefix for IPv4. Some
// providers give a whole /48 to one customer; it has two shares.
func wide(a netip.Addr) netip.Prefix {
	if !a.Is6() {
		return netip.Prefix{}
	}
	p, err := a.Prefix(48)
	if err != nil {
		return netip.Prefix{}
	}
	return p
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
	if c.http2.Load() {
		n.http2--
		l.http2--
	}
	if n.wide.IsValid() {
		if l.wide[n.wide]--; l.wide[n.wide] == 0 {
			delete(l.wide, n.wide)
		}
	}
	if len(n.conns) == 0 {
		delete(l.networks, n.prefix)
	}
	l.open--
	l.o.Opened(l.open + l.held)
}

// warning is when a reason was last logged, and how often it occurred since.
type warning struct {
	at    time.Time
	count int
}

// Refuse counts what was refused, and logs it at most once a minute for each
// reason: a flood of requests must not become a flood of lines.
func (l *Listener) Refuse(reason string, attrs ...any) {
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
