package conns

import (
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// TestStreamsLeaveTheBounds: connections that became streams take no place of others,
// and those of others stay bounded.
func TestStreamsLeaveTheBounds(t *testing.T) {
	d := newDoor(Options{Max: 8, PerNetwork: 2, Requests: 4, RequestsPerNetwork: 2})
	var last int
	d.o.Opened = func(open int) { last = open }
	var streams []*Conn
	for i := range 20 {
		c := busy(d.knock("192.0.2.1"))
		p, ok := d.Enter(d.request(t, c), netip.MustParseAddr("192.0.2.1"))
		if !ok {
			t.Fatalf("request %d is refused", i)
		}
		p.Hold()
		streams = append(streams, c)
	}
	if d.open != 0 || d.held != 20 || last != 20 || d.requests.all.Load() != 0 || len(d.networks) != 0 {
		t.Errorf("%d open, %d held, %d counted, %d requests, %d networks", d.open, d.held, last, d.requests.all.Load(), len(d.networks))
	}
	busy(d.knock("192.0.2.1"))
	busy(d.knock("192.0.2.1"))
	if d.knock("192.0.2.1") != nil {
		t.Error("streams made the share of the network larger")
	}
	for _, c := range streams {
		_ = c.Close()
		_ = c.Close()
	}
	if d.open != 2 || d.held != 0 || last != 2 {
		t.Errorf("%d open, %d held, %d counted after the streams", d.open, d.held, last)
	}
}

// TestHTTP2StaysWithinTheBounds: its connection carries other requests too.
func TestHTTP2StaysWithinTheBounds(t *testing.T) {
	d := newDoor(Options{Max: 8, PerNetwork: 2, HTTP2: 4, HTTP2PerNetwork: 2})
	c := busy(d.knock("192.0.2.1"))
	if !d.TakeHTTP2(c) {
		t.Fatal("no HTTP/2")
	}
	p, _ := d.Enter(d.request(t, c), netip.MustParseAddr("192.0.2.1"))
	p.Hold()
	if d.open != 1 || d.held != 0 || d.http2 != 1 || d.requests.all.Load() != 0 {
		t.Errorf("%d open, %d held, %d of HTTP/2, %d requests", d.open, d.held, d.http2, d.requests.all.Load())
	}
	Place{}.Hold()
}

// TestStreamsOfDeadPeers: a peer that acknowledges nothing is noticed by the kernel, and
// little is kept for one that reads nothing.
func TestStreamsOfDeadPeers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has TCP_USER_TIMEOUT")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	boundStream(c)
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	get := func(level, option int) (value int) {
		_ = raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, option) })
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	if got := time.Duration(get(syscall.IPPROTO_TCP, tcpUserTimeout)) * time.Millisecond; got != silentTime {
		t.Errorf("the kernel waits %v for an acknowledgment", got)
	}
	if got := get(syscall.SOL_SOCKET, syscall.SO_SNDBUF); got > 2*streamBuffer { // Linux doubles it
		t.Errorf("a buffer of %d bytes", got)
	}
}
