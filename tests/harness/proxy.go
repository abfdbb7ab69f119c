package harness

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Mode is what a Proxy does to the traffic.
type Mode int

const (
	// Passing forwards everything.
	Passing Mode = iota
	// Refusing closes all connections, new ones at once.
	Refusing
	// Hanging accepts and reads connections, and never replies.
	Hanging
	// Slow forwards each part of a reply after the Proxy's Delay.
	Slow
	// Resetting breaks every connection in the middle of a reply (RST).
	Resetting
	// Replying sends the Proxy's Reply to every command, and forwards nothing.
	Replying
)

func (m Mode) String() string {
	return [...]string{"passing", "refusing", "hanging", "slow", "resetting", "replying"}[m]
}

// Proxy forwards between one grantd and Redis, or between a caller and a grantd.
type Proxy struct {
	Addr  string
	Delay time.Duration // of Slow; set before Set
	Reply string        // of Replying, such as "-LOADING ...\r\n"; set before Set

	received, accepted atomic.Int64

	mu    sync.Mutex
	to    string
	mode  Mode
	conns map[net.Conn]Mode // how each is treated
}

// StartProxy starts a proxy to the address and stops it when the test ends.
func StartProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: to, conns: map[net.Conn]Mode{}}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			done.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.Set(Refusing)
		done.Wait()
	})
	return p
}

// Received returns how many bytes came from callers.
func (p *Proxy) Received() int64 { return p.received.Load() }

// Accepted returns how many connections came.
func (p *Proxy) Accepted() int64 { return p.accepted.Load() }

// Lead makes new connections go to another address. It closes none.
func (p *Proxy) Lead(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
}

// Set changes the mode. It also closes existing connections, unless the mode is
// Hanging, Slow or Resetting, which applies to them too.
func (p *Proxy) Set(m Mode) {
	p.Turn(m)
	if m == Hanging || m == Slow || m == Resetting {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// Turn changes the mode and closes no connection. Existing connections are not
// changed to Passing, and hanging ones hang forever, as after a firewall has lost
// its state.
func (p *Proxy) Turn(m Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	for c, was := range p.conns {
		if was != Hanging && m != Passing {
			p.conns[c] = m
		}
	}
}

func (p *Proxy) modeOf(c net.Conn) Mode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[c]
}

func (p *Proxy) target() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.to
}

// hold keeps a connection so that Set can close it. It returns false if the mode
// refuses the connection.
func (p *Proxy) hold(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = p.mode
	return p.mode != Refusing
}

func (p *Proxy) drop(c net.Conn) {
	c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) serve(c net.Conn) {
	defer p.drop(c)
	if !p.hold(c) {
		return
	}
	if p.modeOf(c) == Replying {
		p.sendReplies(c)
		return
	}
	up, err := net.Dial("tcp", p.target())
	if err != nil {
		return
	}
	defer p.drop(up)
	if !p.hold(up) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { p.forwardReplies(c, up); c.Close() })
	p.copy(up, c)
	up.Close()
	back.Wait()
}

// copy forwards commands. While the connection hangs, it only reads.
func (p *Proxy) copy(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		p.received.Add(int64(n))
		if n > 0 && p.modeOf(from) != Hanging {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// forwardReplies forwards the replies of Redis as the mode demands.
func (p *Proxy) forwardReplies(to, from net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		out := b[:n]
		switch p.modeOf(from) {
		case Hanging:
			out = nil
		case Slow:
			time.Sleep(p.Delay) // simulates the fault
		case Resetting:
			if n > 0 {
				_, _ = to.Write(b[:n/2])
				if tcp, ok := to.(*net.TCPConn); ok {
					_ = tcp.SetLinger(0)
				}
				return
			}
		}
		if len(out) > 0 {
			if _, err := to.Write(out); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// sendReplies sends the Reply to each command.
func (p *Proxy) sendReplies(c net.Conn) {
	b := make([]byte, 32<<10)
	var unread []byte
	for {
		n, err := c.Read(b)
		unread = append(unread, b[:n]...)
		for {
			size := command(unread)
			if size == 0 {
				break
			}
			unread = unread[size:]
			if _, err := io.WriteString(c, p.Reply); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// command returns the length of the command that b begins with, or 0 if it is
// incomplete.
func command(b []byte) int {
	at, args := 0, 1
	for i := 0; i <= args; i++ {
		end := bytes.Index(b[at:], []byte("\r\n"))
		if end < 2 {
			return 0
		}
		n, err := strconv.Atoi(string(b[at+1 : at+end]))
		if err != nil || n < 0 {
			return 0
		}
		at += end + 2
		if i == 0 {
			args = n
			continue
		}
		if at += n + 2; at > len(b) {
			return 0
		}
	}
	return at
}
