package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// How often progress is told, at most.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 5 * time.Second // where each is a line of its own, as in a log
)

// progress tells how far a long command is: one line that is written over on
// a terminal, lines now and then elsewhere.
type progress struct {
	a        *app
	terminal bool
	told     time.Time // when last
	width    int       // of the line that stands on the terminal
}

func (a *app) progress(terminal bool) *progress {
	p := &progress{a: a, terminal: terminal}
	if !terminal {
		p.told = time.Now() // what takes no longer needs no line
	}
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	about, err := f.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}

func (p *progress) show(format string, args ...any) {
	every := lineEvery
	if p.terminal {
		every = redrawEvery
	}
	if time.Since(p.told) < every {
		return
	}
	p.told = time.Now()
	if !p.terminal {
		p.a.say(format, args...)
		return
	}
	line := visible(fmt.Sprintf(format, args...))
	fmt.Fprintf(p.a.err, "\r%-*s", p.width, line)
	p.width = len([]rune(line))
}

// clear takes the line off the terminal, so that something else can be said.
func (p *progress) clear() {
	if p.width > 0 {
		fmt.Fprintf(p.a.err, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}

// note says something that stays.
func (p *progress) note(format string, args ...any) {
	p.clear()
	p.a.say(format, args...)
}
