package conns

import (
	"context"
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
	return d
}

// knock is a connection from the address, which is old enough to be idle.
func (d *door) knock(from string) *Conn {
	c := d.admit(&fakeConn{from: &net.TCPAddr{IP: net.ParseIP(from), Port: 5}})
	if c != nil {
		c.accepted = c.accepted.Add(-time.Minute)
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

func TestRequestsInProgress(t *testing.T) {
	d := newDoor(Options{Max: 100, Requests: 5, RequestsPerNetwork: 3})
	request := func(from string) *http.Request {
		c := d.knock(from)
		r, err := http.NewRequestWithContext(Context(t.Context(), c), "GET", "http://x/", nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	one, other := request("192.0.2.1"), request("192.0.2.2")
	enter := func(r *http.Request, want bool) {
		t.Helper()
		if got := d.Enter(r); got != want {
			t.Errorf("Enter: %v", got)
		}
	}
	for range 3 {
		enter(one, true)
	}
	enter(one, false)
	enter(other, true)
	enter(other, true)
	enter(other, false) // five in all
	d.Leave(one)
	enter(other, true)
	if d.requests.Load() != 5 {
		t.Errorf("%d in progress", d.requests.Load())
	}
	enter(mustRequest(t), false) // without a connection, as on a unix socket
}

func mustRequest(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), "GET", "http://x/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHTTP2Connections(t *testing.T) {
	d := newDoor(Options{Max: 100, HTTP2: 3, HTTP2PerNetwork: 2})
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
	_ = a.Close()
	if !d.TakeHTTP2(c) || d.http2 != 3 {
		t.Errorf("%d connections of HTTP/2", d.http2)
	}
}
