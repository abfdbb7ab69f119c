package logbuf

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// out keeps each write.
type out struct {
	mu     sync.Mutex
	writes []string
	err    error
}

func (o *out) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes = append(o.writes, string(b))
	return len(b), o.err
}

func (o *out) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writes
}

func line(text string) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, text...) }
}

func TestLinesAreWrittenTogetherAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o out
		w := New(&o)
		w.Hold(false, line("a\n"))
		w.Hold(false, line("b\n"))
		time.Sleep(heldFor - 1)
		if got := o.all(); len(got) != 0 {
			t.Errorf("written before its time: %q", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		w.Hold(false, line("c\n"))
		w.Hold(true, line("d\n"))
		w.Hold(false, line("e\n"))
		if _, err := w.Write([]byte("f\n")); err != nil {
			t.Error(err)
		}
		w.Hold(false, line("g\n"))
		w.Flush()
		w.Flush()
		if got, want := strings.Join(o.all(), "|"), "a\nb\n|c\nd\n|e\nf\n|g\n"; got != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
		time.Sleep(2 * heldFor)
		synctest.Wait()
		if n := len(o.all()); n != 4 {
			t.Errorf("%d writes, want 4: an empty one", n)
		}
	})
}

func TestNoMoreIsHeldThanFits(t *testing.T) {
	var o out
	w := New(&o)
	text := strings.Repeat("x", 1000) + "\n"
	for range 100 {
		w.Hold(false, line(text))
	}
	w.Flush()
	if got := o.all(); len(got) != 4 || strings.Join(got, "") != strings.Repeat(text, 100) {
		t.Errorf("%d writes", len(got))
	}
}

// TestFullDiskFillsNoMemory shows that lines that cannot be written are dropped,
// and that the next line after them is whole.
func TestFullDiskFillsNoMemory(t *testing.T) {
	full := errors.New("no space left on device")
	o := out{err: full}
	w := New(&o)
	if _, err := w.Write([]byte("lost\n")); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	for range 1000 {
		w.Hold(false, line(strings.Repeat("x", 1000)))
	}
	if c := cap(w.lines); c > 2*held {
		t.Errorf("%d bytes are held", c)
	}
	w.Flush()
	o.err, o.writes = nil, nil
	if _, err := w.Write([]byte("whole\n")); err != nil || o.all()[0] != "whole\n" {
		t.Errorf("error %v, wrote %q", err, o.all())
	}
}

func TestManyAtOnce(t *testing.T) {
	var o out
	w := New(&o)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				w.Hold(i%100 == 0, line("a line\n"))
				if i%50 == 0 {
					_, _ = w.Write([]byte("a line\n"))
				}
			}
		})
	}
	all.Wait()
	w.Flush()
	got := []byte(strings.Join(o.all(), ""))
	if n := bytes.Count(got, []byte("a line\n")); n != 8*1020 || len(got) != 7*n {
		t.Errorf("%d lines in %d bytes", n, len(got))
	}
}
