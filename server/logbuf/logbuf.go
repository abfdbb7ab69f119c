// Package logs gathers log lines on their way out: a system call for each
// line would cost more than the request that the line is about. It knows
// nothing of what stands in a line.
package logbuf

import (
	"io"
	"sync"
	"time"
)

const (
	// held is how much is gathered at most, in bytes.
	held = 32 << 10
	// heldFor is how long a line is held back at most.
	heldFor = 100 * time.Millisecond
)

// Writer writes whole lines to one place, in the order in which they came.
// Safe for concurrent use. What is held back is lost if the process is
// killed: lines that matter are flushed at once.
type Writer struct {
	out io.Writer

	mu    sync.Mutex
	lines []byte
	timer *time.Timer // runs while lines are held back
}

// New makes a Writer. Flush it before the process ends.
func New(out io.Writer) *Writer {
	w := &Writer{out: out, lines: make([]byte, 0, held+held/4)}
	w.timer = time.AfterFunc(time.Hour, w.Flush)
	w.timer.Stop()
	return w
}

// Write takes a line and writes it at once, behind those that are held back.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, line...)
	if err := w.flush(); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Hold takes a line that write appends to the bytes it is given, and holds it
// back for a moment; with now, it is written at once. write must be quick:
// others wait.
func (w *Writer) Hold(now bool, write func(b []byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 && !now {
		w.timer.Reset(heldFor)
	}
	w.lines = write(w.lines)
	if now || len(w.lines) >= held {
		_ = w.flush() // nobody to tell: this is the log
	}
}

// Flush writes what is held back.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.flush() // nobody to tell: this is the log
}

// flush writes; w is locked. Lines that cannot be written are dropped, so
// that a log that is full does not fill the memory too.
func (w *Writer) flush() error {
	w.timer.Stop()
	if len(w.lines) == 0 {
		return nil
	}
	_, err := w.out.Write(w.lines)
	w.lines = w.lines[:0]
	return err
}
