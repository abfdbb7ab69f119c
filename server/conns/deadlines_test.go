package conns

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// countingConn counts how often a deadline of the socket is set.
type countingConn struct {
	net.Conn
	set int
}

func (c *countingConn) SetReadDeadline(t time.Time) error {
	c.set++
	return c.Conn.SetReadDeadline(t)
}

func (c *countingConn) SetWriteDeadline(t time.Time) error {
	c.set++
	return c.Conn.SetWriteDeadline(t)
}

func pipe(t *testing.T) (lazy *lazyConn, socket *countingConn, other net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed := make(chan net.Conn)
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Error(err)
		}
		dialed <- c
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	other = <-dialed
	t.Cleanup(func() { c.Close(); other.Close() })
	socket = &countingConn{Conn: c}
	return &lazyConn{Conn: socket}, socket, other
}

// tick is a short time. The tests below expect that it has passed, never that it
// has not.
const tick = 30 * time.Millisecond

func TestLaterDeadlinesAreNotSet(t *testing.T) {
	lazy, socket, _ := pipe(t)
	for range 100 { // as net/http does for each request
		now := time.Now()
		for _, at := range []time.Time{now.Add(time.Minute), {}, now.Add(time.Minute + time.Second), now.Add(2 * time.Minute)} {
			if err := lazy.SetReadDeadline(at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if socket.set != 1 {
		t.Errorf("the deadline of the socket was set %d times, want once", socket.set)
	}
}

func TestDeadlinesHold(t *testing.T) {
	now := time.Now()
	for name, deadlines := range map[string][]time.Time{
		"alone":            {now.Add(tick)},
		"past":             {time.Unix(1, 0)},
		"earlier":          {now.Add(time.Hour), now.Add(tick)},
		"later":            {now.Add(tick), now.Add(2 * tick)},
		"after none":       {now.Add(tick), {}, now.Add(2 * tick)},
		"after the past":   {time.Unix(1, 0), {}, now.Add(2 * tick)},
		"back to earlier":  {now.Add(time.Hour), {}, now.Add(time.Hour), now.Add(tick)},
		"of both, at once": {now.Add(tick)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lazy, _, _ := pipe(t)
			for _, at := range deadlines {
				set := lazy.SetReadDeadline
				if name == "of both, at once" {
					set = lazy.SetDeadline
				}
				if err := set(at); err != nil {
					t.Fatal(err)
				}
			}
			n, err := lazy.Read(make([]byte, 1))
			if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%d bytes, error %v", n, err)
			}
			if last := deadlines[len(deadlines)-1]; time.Now().Before(last) {
				t.Errorf("it came %v early", time.Until(last))
			}
		})
	}
}

// TestNoDeadlineIsNone shows that a deadline that was removed or moved interrupts
// nothing.
func TestNoDeadlineIsNone(t *testing.T) {
	for name, last := range map[string]time.Time{"none": {}, "later": time.Now().Add(time.Hour)} {
		lazy, _, other := pipe(t)
		if err := errors.Join(lazy.SetReadDeadline(time.Now().Add(tick)), lazy.SetReadDeadline(last)); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(3*tick, func() { _, _ = other.Write([]byte("x")) })
		if n, err := lazy.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("%s: %d bytes, error %v", name, n, err)
		}
	}
}

// TestReadIsInterrupted interrupts a read as net/http does when a handler ends
// while net/http waits for the next bytes of the client.
func TestReadIsInterrupted(t *testing.T) {
	lazy, _, other := pipe(t)
	for range 50 {
		if err := lazy.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		var reader sync.WaitGroup
		reader.Go(func() {
			if _, err := lazy.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("interrupted: %v", err)
			}
		})
		if err := lazy.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		reader.Wait()
		if err := lazy.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if n, err := lazy.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("afterwards: %d bytes, error %v", n, err)
		}
	}
}

// TestWriteResumes shows that a write that was interrupted too early resumes where
// it was.
func TestWriteResumes(t *testing.T) {
	lazy, _, other := pipe(t)
	if err := errors.Join(lazy.SetWriteDeadline(time.Now().Add(tick)), lazy.SetWriteDeadline(time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, 32<<20) // more than the sockets hold
	for i := range sent {
		sent[i] = byte(i >> 8)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		if n, err := lazy.Write(sent); n != len(sent) || err != nil {
			t.Errorf("wrote %d bytes, error %v", n, err)
		}
	})
	time.Sleep(2 * tick) // so that the first deadline passes
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(other, got); err != nil {
		t.Fatal(err)
	}
	writer.Wait()
	for i := range got {
		if got[i] != sent[i] {
			t.Fatalf("byte %d differs", i)
		}
	}
	if err := lazy.SetWriteDeadline(time.Now().Add(tick)); err != nil {
		t.Fatal(err)
	}
	if n, err := lazy.Write(sent); n == len(sent) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write that nobody reads: %d bytes, error %v", n, err)
	}
}
