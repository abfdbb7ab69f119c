package guarded_test

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fault is what a link does to connections. The zero value forwards everything.
type fault struct {
	refuse bool          // closes connections, new ones at once
	hold   bool          // keeps back what is sent, in both directions, until the fault is over
	delay  time.Duration // of everything that the replica sends
	chop   bool          // what the replica sends arrives in pieces of a few bytes
	tear   bool          // breaks a connection in the middle of what the replica sends next
}

// link is a TCP proxy between resource servers and the replicas.
type link struct {
	addr string

	mu          sync.Mutex
	targets     []func() string // addresses; the first that can be dialed is used
	fault       fault
	onlyStreams bool // the fault is that of the streams of revocations, and of nothing else
	noStreams   bool // streams are refused, whatever happens to the others
	pipes       map[*pipe]struct{}
}

// pipe is a connection and its continuation to a replica.
type pipe struct {
	near, far net.Conn
	stream    atomic.Bool // it carries a stream of revocations
	ended     atomic.Bool
}

func (p *pipe) close() {
	p.ended.Store(true)
	_ = p.near.Close()
	_ = p.far.Close()
}

// startLink starts a link and stops it when the test ends.
func startLink(t testing.TB) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{addr: listener.Addr().String(), pipes: map[*pipe]struct{}{}}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() { l.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.set(fault{refuse: true}, false)
		done.Wait()
	})
	return l
}

// lead makes new connections go to the first of the targets that can be dialed.
func (l *link) lead(targets ...func() string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.targets = targets
}

// set changes what happens to connections, those that exist too.
func (l *link) set(f fault, onlyStreams bool) {
	l.mu.Lock()
	l.fault, l.onlyStreams = f, onlyStreams
	l.mu.Unlock()
	if f.refuse {
		l.cut(onlyStreams)
	}
}

// cut closes the connections that exist.
func (l *link) cut(onlyStreams bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.pipes {
		if !onlyStreams || p.stream.Load() {
			p.close()
		}
	}
}

// refuseStreams makes the link close streams, besides what happens to other connections.
func (l *link) refuseStreams(refuse bool) {
	l.mu.Lock()
	l.noStreams = refuse
	l.mu.Unlock()
	if refuse {
		l.cut(true)
	}
}

// of returns what happens to the connection now.
func (l *link) of(p *pipe) fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch stream := p.stream.Load(); {
	case stream && l.noStreams:
		return fault{refuse: true}
	case !stream && l.onlyStreams:
		return fault{}
	}
	return l.fault
}

func (l *link) serve(near net.Conn) {
	defer near.Close()
	l.mu.Lock()
	targets := l.targets
	l.mu.Unlock()
	for _, target := range targets {
		far, err := net.DialTimeout("tcp", target(), time.Second)
		if err != nil {
			continue
		}
		p := &pipe{near: near, far: far}
		l.mu.Lock()
		l.pipes[p] = struct{}{}
		l.mu.Unlock()
		l.forward(p)
		l.mu.Lock()
		delete(l.pipes, p)
		l.mu.Unlock()
		return
	}
}

// forward forwards in both directions until one end closes.
func (l *link) forward(p *pipe) {
	defer p.close()
	if l.of(p).refuse {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		defer p.close()
		l.copy(p, p.near, p.far, true)
	})
	both.Go(func() {
		defer p.close()
		l.copy(p, p.far, p.near, false)
	})
	both.Wait()
}

// chunk is what one read returned, and when.
type chunk struct {
	at time.Time
	b  []byte
}

// copy forwards one direction. Reading goes on while what was read waits, as it does on
// a path with a long delay.
func (l *link) copy(p *pipe, to, from net.Conn, response bool) {
	chunks := make(chan chunk, 4096)
	go func() {
		defer close(chunks)
		for {
			b := make([]byte, 16<<10)
			n, err := from.Read(b)
			if n > 0 {
				chunks <- chunk{time.Now(), b[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	defer func() {
		for range chunks { // so that the reader ends
		}
	}()
	defer p.close() // before the reader is awaited
	for c := range chunks {
		if !response && bytes.HasPrefix(c.b, []byte("GET /oauth/revocations")) {
			p.stream.Store(true)
		}
		if !l.deliver(p, to, c, response) {
			return
		}
	}
}

// deliver writes a chunk as the fault demands. It returns false if the connection ends.
func (l *link) deliver(p *pipe, to net.Conn, c chunk, response bool) bool {
	for l.of(p).hold && !p.ended.Load() {
		time.Sleep(5 * time.Millisecond) // simulates the fault
	}
	f := l.of(p)
	if f.refuse {
		return false
	}
	piece := len(c.b)
	if response {
		time.Sleep(time.Until(c.at.Add(f.delay))) // simulates the fault
		if f.tear {
			_, _ = to.Write(c.b[:len(c.b)/2])
			return false
		}
		if f.chop {
			piece = 1 + rand.IntN(5)
		}
	}
	for b := c.b; len(b) > 0; b = b[min(piece, len(b)):] {
		if _, err := to.Write(b[:min(piece, len(b))]); err != nil {
			return false
		}
		if piece < len(b) {
			time.Sleep(100 * time.Microsecond) // or the pieces would arrive as one
		}
	}
	return true
}
