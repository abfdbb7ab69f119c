// Package logbuf buffers log lines: a system call for each line would cost more
// than the request that the line is about. It does not know what a line holds.
package logbuf

import (
	"io"
	"sync"
	"time"
)

const (
	// held is the most that is held back, in bytes.
	held = 32 << 10
	// heldFor is the longest that a line is held back.
	heldFor = 100 * time.Millisecond
)

// Writer writes whole lines to one place, in the order in which they came. Lines
// that are held back are lost if the process is killed: write important ones at
// once. Safe for concurrent use.
type Writer struct {
	out io.Writer

	mu    sync.Mutex
	lines []byte
	timer *time.Timer // runs while lines are held back
}

// New makes a Writer. Call Flush before the process ends.
func New(out io.Writer) *Writer {
	w := &Writer{out: out, lines: make([]byte, 0, held+held/4)}
	w.timer = time.AfterFunc(time.Hour, w.Flush)
	w.timer.Stop()
	return w
}

// Write writes a line at once, after those that are held back.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, line...)
	if err := w.flush(); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Hold takes a line, which write appends to the bytes that it is given, and holds
// it back for a moment, or writes it at once if now is true. write must be
// quick: others wait.
func (w *Writer) Hold(now bool, write func(b []byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 && !now {
		w.timer.Reset(heldFor)
	}
	w.lines = write(w.lines)
	if now || len(w.lines) >= held {
		_ = w.flush() // there is no place to report it: this is the log
	}
}

// Flush writes what is held back.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.flush() // there is no place to report it: this is the log
}

// flush is called with mu held. Lines that cannot be written are dropped, so that
// a full disk does not fill the memory too.
func (w *Writer) flush() error {
	w.timer.Stop()
	if len(w.lines) == 0 {
		return nil
	}
	_, err := w.out.Write(w.lines)
	w.lines = w.lines[:0]
	return err
}
