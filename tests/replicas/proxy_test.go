package replicas_test

import (
	"net"
	"sync"
	"testing"
)

// mode is what a proxy does to the traffic.
type mode int

const (
	passing  mode = iota
	refusing      // connections are reset, new ones at once
	hanging       // connections are taken and read, and nothing comes back
)

func (m mode) String() string { return [...]string{"passing", "refusing", "hanging"}[m] }

// proxy stands between one grantd and Redis.
type proxy struct {
	Addr string
	to   string

	mu    sync.Mutex
	mode  mode
	conns map[net.Conn]bool // whether it hangs
}

func startProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Addr: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.set(refusing)
		done.Wait()
	})
	return p
}

// set changes the mode, and breaks all connections but those that begin to
// hang.
func (p *proxy) set(m mode) {
	p.turn(m)
	if m == hanging {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// turn changes the mode for new connections only; those that hang do so for
// ever, as after a firewall has lost its state.
func (p *proxy) turn(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	for c := range p.conns {
		p.conns[c] = p.conns[c] || m == hanging
	}
}

func (p *proxy) hangs(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[c]
}

// hold keeps a connection to be closed by set; false if the mode refuses it.
func (p *proxy) hold(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = p.mode == hanging
	return p.mode != refusing
}

func (p *proxy) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *proxy) serve(c net.Conn) {
	defer p.drop(c)
	if !p.hold(c) {
		return
	}
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer p.drop(up)
	if !p.hold(up) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { p.copy(c, up); c.Close() })
	p.copy(up, c)
	up.Close()
	back.Wait()
}

// copy forwards; while the connection hangs, it only reads.
func (p *proxy) copy(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !p.hangs(from) {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
