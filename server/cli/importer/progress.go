package importer

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// How often progress is shown, at most.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 5 * time.Second // where each is a new line, as in a log
)

// progress shows how far an import is: on a terminal it redraws one line,
// elsewhere it prints a line from time to time.
type progress struct {
	notify   Notify
	terminal io.Writer // nil: there is none
	shown    time.Time // when the last one was
	width    int       // of the line on the terminal
}

func newProgress(notify Notify, terminal io.Writer) *progress {
	p := &progress{notify: notify, terminal: terminal}
	if terminal == nil {
		p.shown = time.Now() // an import shorter than lineEvery needs no line
	}
	return p
}

func (p *progress) show(format string, args ...any) {
	every := lineEvery
	if p.terminal != nil {
		every = redrawEvery
	}
	if time.Since(p.shown) < every {
		return
	}
	p.shown = time.Now()
	if p.terminal == nil {
		p.notify(format, args...)
		return
	}
	line := fmt.Sprintf(format, args...)
	fmt.Fprintf(p.terminal, "\r%-*s", p.width, line)
	p.width = len(line)
}

// clear removes the line from the terminal, so that other output can follow.
func (p *progress) clear() {
	if p.width > 0 {
		fmt.Fprintf(p.terminal, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}

// note prints a line that is not overwritten.
func (p *progress) note(format string, args ...any) {
	p.clear()
	p.notify(format, args...)
}
