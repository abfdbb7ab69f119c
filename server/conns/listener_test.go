package conns

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// door is a Listener without a network: connections come from made-up addresses.
type door struct {
	*Listener
	refused []string
	log     strings.Builder
}

func newDoor(o Options) *door {
	d := &door{}
	o.Opened = func(int) {}
	o.Refused = func(reason string) { d.refused = append(d.refused, reason) }
	o.Log = slog.New(slog.NewTextHandler(&d.log, nil))
	d.Listener = Listen(nil, o)
	d.start = d.start.Add(-time.Hour)
	return d
}

// knock is a connection from the address, which is old enough to be idle.
func (d *door) knock(from string) *Conn {
	c := d.admit(&fakeConn{from: &net.TCPAddr{IP: net.ParseIP(from), Port: 5}})
	if c != nil {
		Observe(c, http.StateActive)
		Observe(c, http.StateIdle)
		c.idle.Store(1)
	}
	return c
}

type fakeConn struct {
	net.Conn
	from   net.Addr
	closed bool
	once   sync.Once
}

func (c *fakeConn) RemoteAddr() net.Addr { return c.from }
func (c *fakeConn) Close() error         { c.once.Do(func() { c.closed = true }); return nil }

func busy(c *Conn) *Conn { Observe(c, http.StateActive); return c }

func gone(c *Conn) bool { return c.Conn.(*fakeConn).closed }

func TestShareOfANetwork(t *testing.T) {
	d := newDoor(Options{Max: 100, PerNetwork: 3, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for range 3 {
		busy(d.knock("2001:db8::1"))
	}
	if d.knock("2001:db8::2") != nil {
		t.Error("a fourth connection of the network")
	}
	if d.knock("2001:db8:0:1::1") == nil {
		t.Error("another network is refused")
	}
	for range 20 {
		if d.knock("10.0.0.1") == nil {
			t.Fatal("a proxy is refused")
		}
	}
	if fmt.Sprint(d.refused) != "[network]" || d.open != 24 {
		t.Errorf("refused %v, open %d", d.refused, d.open)
	}
}

func TestIdleConnectionsGiveWay(t *testing.T) {
	d := newDoor(Options{Max: 100, PerNetwork: 3})
	first := d.knock("192.0.2.1")
	busy(d.knock("192.0.2.1"))
	busy(d.knock("192.0.2.1"))
	if d.knock("192.0.2.1") == nil || !gone(first) {
		t.Error("the idle connection did not give way")
	}
	_ = first.Close() // what the HTTP server does then
	if d.open != 3 {
		t.Errorf("%d open", d.open)
	}
}

// TestYoungConnectionsStay checks that a connection whose first request may be on
// the way is not taken for an idle one.
func TestYoungConnectionsStay(t *testing.T) {
	d := newDoor(Options{Max: 100, PerNetwork: 1})
	c := d.admit(&fakeConn{from: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}})
	c.idle.Store(int64(d.now()))
	if d.knock("192.0.2.1") != nil || gone(c) {
		t.Error("a new connection was closed for another one")
	}
}

func TestFullListener(t *testing.T) {
	d := newDoor(Options{Max: 64, Reserve: 8})
	for i := range 56 {
		if d.knock(fmt.Sprintf("192.0.2.%d", i%7)) == nil {
			t.Fatalf("connection %d is refused", i)
		}
	}
	for _, n := range d.networks {
		for _, c := range n.conns {
			busy(c)
		}
	}
	if d.knock("192.0.2.1") != nil {
		t.Error("a network with connections got a place of the reserve")
	}
	if d.knock("198.51.100.1") == nil {
		t.Error("a network without connections got no place of the reserve")
	}
	if fmt.Sprint(d.refused) != "[full]" {
		t.Errorf("refused %v", d.refused)
	}
}

// TestLargestNetworkGivesWay checks that a network with a few connections keeps its
// idle ones when another one fills the listener with idle ones.
func TestLargestNetworkGivesWay(t *testing.T) {
	d := newDoor(Options{Max: 400, Reserve: 10})
	mine := d.knock("203.0.113.1")
	for range 2000 {
		d.searched = time.Time{} // as if some time had passed
		if d.knock("192.0.2.1") == nil {
			t.Fatal("refused although others are idle")
		}
	}
	if gone(mine) {
		t.Error("the connection of the small network was closed")
	}
	if d.open > 400 {
		t.Errorf("%d open", d.open)
	}
}

// TestUnusedConnectionsGiveWayFirst checks that connections that never had a request,
// from many networks, do not keep others out, nor those that had one.
func TestUnusedConnectionsGiveWayFirst(t *testing.T) {
	d := newDoor(Options{Max: 160, Reserve: 10})
	var mine []*Conn
	for range 10 {
		mine = append(mine, d.knock("203.0.113.1"))
	}
	for i := range 1000 {
		d.searched = time.Time{}
		if c := d.admit(&fakeConn{from: &net.TCPAddr{IP: net.IPv4(192, 0, byte(i>>8), byte(i))}}); c != nil {
			c.idle.Store(1)
		}
	}
	if d.knock("203.0.113.1") == nil {
		t.Error("a network with ten connections is refused")
	}
	for _, c := range mine {
		if gone(c) {
			t.Fatal("a connection that had a request was closed")
		}
	}
}

// sending is a connection whose peer sends without end.
type sending struct{ fakeConn }

func (*sending) Read(b []byte) (int, error) { return len(b), nil }

// TestBytesBeforeTheFirstRequest checks how much a peer may send before its
// ClientHello is complete, and before its first request is.
func TestBytesBeforeTheFirstRequest(t *testing.T) {
	for _, tc := range []struct {
		tls, hello, request bool
		most                int
	}{{tls: true, most: helloBytes}, {tls: true, hello: true, most: earlyBytes}, {most: earlyBytes}, {request: true, most: 1 << 20}} {
		d := newDoor(Options{Max: 10, TLS: tc.tls})
		c := d.admit(&sending{fakeConn{from: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}}})
		if tc.hello {
			Hello(c)
		}
		if tc.request {
			Observe(c, http.StateActive)
			Observe(c, http.StateIdle)
		}
		read := 0
		for read < 1<<20 {
			n, err := c.Read(make([]byte, 1024))
			if err != nil {
				break
			}
			read += n
		}
		if read != tc.most {
			t.Errorf("%+v: %d bytes", tc, read)
		}
	}
}

func TestRefusalsAreLoggedOnce(t *testing.T) {
	d := newDoor(Options{Max: 100, PerNetwork: 1})
	busy(d.knock("192.0.2.1"))
	for range 1000 {
		d.knock("192.0.2.1")
	}
	if n := strings.Count(d.log.String(), "\n"); n != 1 || len(d.refused) != 1000 {
		t.Errorf("%d lines, %d refused:\n%s", n, len(d.refused), &d.log)
	}
}

func (d *door) request(t *testing.T, c *Conn) *http.Request {
	t.Helper()
	ctx := t.Context()
	if c != nil {
		ctx = Context(ctx, c)
	}
	r, err := http.NewRequestWithContext(ctx, "POST", "http://x/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRequestsInProgress(t *testing.T) {
	d := newDoor(Options{Max: 100, Requests: 5, RequestsPerNetwork: 3})
	enter := func(from string, want bool) Place {
		t.Helper()
		p, got := d.Enter(d.request(t, nil), netip.MustParseAddr(from))
		if got != want {
			t.Errorf("%s: %v", from, got)
		}
		return p
	}
	first := enter("192.0.2.1", true)
	enter("192.0.2.1", true)
	enter("192.0.2.1", true)
	enter("192.0.2.1", false)
	enter("192.0.2.2", true)
	enter("2001:db8::1", true)
	enter("192.0.2.3", false) // five in all
	first.Leave()
	enter("192.0.2.3", true)
	if n := d.requests.all.Load(); n != 5 {
		t.Errorf("%d in progress", n)
	}
	if fmt.Sprint(d.refused) != "[network_requests requests]" {
		t.Errorf("refused %v", d.refused)
	}
}

func TestRequestsOfA48(t *testing.T) {
	d := newDoor(Options{Requests: 100, RequestsPerNetwork: 2})
	for i := range 6 {
		_, ok := d.Enter(d.request(t, nil), netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::1", i)))
		if ok != (i < 4) {
			t.Errorf("network %d of the /48: %v", i, ok)
		}
	}
	if _, ok := d.Enter(d.request(t, nil), netip.MustParseAddr("2001:db8:2::1")); !ok {
		t.Error("another /48 is refused")
	}
}

// TestStalledRequestsGiveWay checks that connections whose bodies do not come are
// closed when places are scarce, and those of proxies never.
func TestStalledRequestsGiveWay(t *testing.T) {
	d := newDoor(Options{Max: 100, Requests: 8, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}})
	var stalled []*Conn
	var places []Place
	for i := range 6 {
		from := fmt.Sprintf("192.0.2.%d", i)
		if i == 0 {
			from = "10.0.0.1"
		}
		c := busy(d.knock(from))
		p, ok := d.Enter(d.request(t, c), netip.MustParseAddr(from))
		if !ok {
			t.Fatal("refused")
		}
		p.Await(time.Now())
		if i < 5 {
			c.waiting.Store(1) // for an hour
		}
		stalled, places = append(stalled, c), append(places, p)
	}
	if _, ok := d.Enter(d.request(t, nil), netip.MustParseAddr("203.0.113.1")); !ok {
		t.Fatal("refused")
	}
	for i, c := range stalled {
		if want := i >= 1 && i <= 4; gone(c) != want {
			t.Errorf("connection %d closed: %v", i, gone(c))
		}
	}
	for _, p := range places {
		p.Arrived()
		p.Leave()
	}
	if n := d.requests.all.Load(); n != 1 {
		t.Errorf("%d in progress", n)
	}
}

// TestProxiesByTheirAddress checks that a proxy is known by its whole address, and
// that its neighbors in the /64 are not proxies.
func TestProxiesByTheirAddress(t *testing.T) {
	d := newDoor(Options{Max: 100, PerNetwork: 1, Exempt: []netip.Prefix{netip.MustParsePrefix("fd00::10/128")}})
	for range 3 {
		if c := d.knock("fd00::10"); c == nil {
			t.Fatal("the proxy is refused")
		} else {
			busy(c)
		}
	}
	busy(d.knock("fd00::11"))
	if d.knock("fd00::11") != nil {
		t.Error("a neighbor of the proxy has no share")
	}
}

// TestConnectionsOfA48 checks that a /48 has two shares.
func TestConnectionsOfA48(t *testing.T) {
	d := newDoor(Options{Max: 100, PerNetwork: 2})
	for i := range 6 {
		c := d.knock(fmt.Sprintf("2001:db8:1:%x::1", i))
		if (c != nil) != (i < 4) {
			t.Errorf("network %d of the /48: %v", i, c != nil)
		}
		if c != nil {
			busy(c)
		}
	}
	if len(d.wide) != 1 || d.wide[netip.MustParsePrefix("2001:db8:1::/48")] != 4 {
		t.Errorf("%v", d.wide)
	}
}

// TestHTTP2WithoutTLS: the first request shows that a connection speaks HTTP/2. One too
// many is refused until another one closes, and keeps its HTTP/1.
func TestHTTP2WithoutTLS(t *testing.T) {
	d := newDoor(Options{Max: 100, Requests: 100, HTTP2: 2, HTTP2PerNetwork: 2})
	enter := func(c *Conn, major int) bool {
		r := d.request(t, c)
		r.ProtoMajor = major
		p, ok := d.Enter(r, netip.MustParseAddr("192.0.2.1"))
		p.Leave()
		return ok
	}
	a, b := d.knock("192.0.2.1"), d.knock("192.0.2.1")
	if !enter(a, 1) || d.http2 != 0 {
		t.Errorf("HTTP/1 is counted: %d", d.http2)
	}
	first := enter(a, 2)
	if !first || !enter(a, 2) || !enter(b, 2) || d.http2 != 2 {
		t.Errorf("%d connections of HTTP/2", d.http2)
	}
	c := d.knock("192.0.2.1")
	if enter(c, 2) || fmt.Sprint(d.refused) != "[http2]" || d.requests.all.Load() != 0 || !enter(c, 1) {
		t.Errorf("refused %v, %d requests", d.refused, d.requests.all.Load())
	}
	_ = a.Close()
	if !enter(c, 2) {
		t.Error("the place is not given back")
	}
}

func TestHTTP2Connections(t *testing.T) {
	d := newDoor(Options{Max: 100, HTTP2: 4, HTTP2PerNetwork: 2, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}})
	a, b, c := d.knock("192.0.2.1"), d.knock("192.0.2.1"), d.knock("192.0.2.1")
	if !d.TakeHTTP2(a) || !d.TakeHTTP2(b) || !d.TakeHTTP2(b) {
		t.Error("the share is refused")
	}
	if d.TakeHTTP2(c) {
		t.Error("more than the share")
	}
	if e := d.knock("192.0.2.2"); !d.TakeHTTP2(e) || d.TakeHTTP2(d.knock("192.0.2.3")) {
		t.Error("the bound of all is not kept")
	}
	proxy := d.knock("10.0.0.1")
	if !d.TakeHTTP2(proxy) {
		t.Error("a proxy is refused")
	}
	_ = proxy.Close()
	_ = a.Close()
	if !d.TakeHTTP2(c) || d.http2 != 3 {
		t.Errorf("%d connections of HTTP/2", d.http2)
	}
}
