package cli

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// TestDevAtTheTerminal: lines about requests come after the text that says what there
// is, and Ctrl-C ends the demo API before the server, so that its guard misses nothing.
func TestDevAtTheTerminal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	terminal, w := io.Pipe()
	go func() {
		Run(ctx, []string{"dev", "--listen", "127.0.0.1:0"}, Streams{Out: w, Err: w})
		w.Close()
	}()
	var before, after []string
	ready := false
	for lines := bufio.NewScanner(terminal); lines.Scan(); {
		if ready {
			after = append(after, lines.Text())
			continue
		}
		before = append(before, lines.Text())
		if ready = strings.HasPrefix(lines.Text(), "ready "); ready {
			cancel()
		}
	}
	if !ready || !strings.HasPrefix(before[0], "# A grantd sandbox is running.") {
		t.Errorf("it begins with %q", before[:min(3, len(before))])
	}
	for _, line := range append(before, after...) {
		if strings.Contains(line, "  WARN  ") || strings.Contains(line, "  ERROR  ") {
			t.Errorf("%s", line)
		}
	}
}
