package conns

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// lazyConn sets deadlines lazily. net/http sets five for each request, nearly all of
// them later than the one before. Each costs a timer of the socket, and together
// they cost as much as checking a token. lazyConn keeps the deadlines that it gets,
// but sets the socket's only if the new one is earlier. When the socket's deadline
// then passes too early, lazyConn sets the right one and resumes what was
// interrupted.
type lazyConn struct {
	net.Conn
	reading, writing deadline
}

func (c *lazyConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.reading.extend(c.Conn.SetReadDeadline) {
			continue
		}
		return n, err
	}
}

func (c *lazyConn) Write(b []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(b[written:])
		written += n
		if errors.Is(err, os.ErrDeadlineExceeded) && c.writing.extend(c.Conn.SetWriteDeadline) {
			continue
		}
		return written, err
	}
}

func (c *lazyConn) SetReadDeadline(t time.Time) error {
	return c.reading.set(t, c.Conn.SetReadDeadline)
}

func (c *lazyConn) SetWriteDeadline(t time.Time) error {
	return c.writing.set(t, c.Conn.SetWriteDeadline)
}

func (c *lazyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// deadline is the deadline that was asked for and the one that the socket has,
// which is not later. Zero: there is none.
type deadline struct {
	mu           sync.Mutex
	asked, armed time.Time
}

func (d *deadline) set(t time.Time, arm func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = t
	if t.IsZero() || !d.armed.IsZero() && !t.Before(d.armed) {
		return nil
	}
	return d.arm(arm)
}

// extend sets the socket's deadline to the one that was asked for, and reports
// whether that is still to come.
func (d *deadline) extend(arm func(time.Time) error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.asked.IsZero() && !time.Now().Before(d.asked) {
		return false
	}
	return d.arm(arm) == nil
}

func (d *deadline) arm(arm func(time.Time) error) error {
	err := arm(d.asked)
	if err == nil {
		d.armed = d.asked
	}
	return err
}
