package trouble

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSameErrorIsLoggedOnceAMinute checks that an error that persists costs one
// line each minute, whatever ports it names, and one when it is over.
func TestSameErrorIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(slog.New(slog.NewTextHandler(&out, nil)), "not read", "read again")
		l.Worked(t.Context())
		for i := range 121 {
			l.Failed(t.Context(), fmt.Errorf("dial 127.0.0.1:%d: refused", 40000+i))
			time.Sleep(time.Second)
		}
		l.Worked(t.Context())
		l.Worked(t.Context())
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 4 {
			t.Fatalf("%d lines, want 3 failures and 1 end:\n%s", len(lines), out.String())
		}
		for i, want := range []string{"127.0.0.1:40000", "failures=61 seconds=60", "failures=121 seconds=120", `level=INFO msg="read again" failures=121 seconds=121`} {
			if !strings.Contains(lines[i], want) {
				t.Errorf("line %d: %s, want %s", i+1, lines[i], want)
			}
		}
	})
}

// TestOtherErrorIsLoggedAtOnce checks that another error is not hidden, and that
// even errors which all differ cannot fill the log.
func TestOtherErrorIsLoggedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(slog.New(slog.NewTextHandler(&out, nil)), "not read", "read again")
		l.Failed(t.Context(), errors.New("refused"))
		l.Failed(t.Context(), errors.New("no permission"))
		if n := strings.Count(out.String(), "\n"); n != 2 {
			t.Errorf("%d lines for two errors", n)
		}
		for range 1000 {
			l.Failed(t.Context(), errors.New(strings.Repeat("x", out.Len()%997)))
			l.Worked(t.Context())
		}
		if n := strings.Count(out.String(), "\n"); n > maxLines {
			t.Errorf("%d lines in a minute, want at most %d", n, maxLines)
		}
	})
}
