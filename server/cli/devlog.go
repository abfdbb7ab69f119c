package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// devLog is the log of 'grantd dev': one short line for each request, for people, and
// what went wrong.
type devLog struct {
	out   io.Writer
	attrs []slog.Attr
}

// Enabled implements slog.Handler.
func (devLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// WithAttrs implements slog.Handler.
func (d devLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	d.attrs = append(d.attrs[:len(d.attrs):len(d.attrs)], attrs...)
	return d
}

// WithGroup implements slog.Handler. Names of groups are left out.
func (d devLog) WithGroup(string) slog.Handler { return d }

// Handle implements slog.Handler. It writes a line at once.
func (d devLog) Handle(_ context.Context, r slog.Record) error {
	var line string
	switch {
	case r.Message == "request":
		line = requestLine(r)
	case r.Level >= slog.LevelWarn:
		parts := []string{r.Level.String(), r.Message}
		add := func(a slog.Attr) bool { parts = append(parts, a.Key+"="+a.Value.String()); return true }
		for _, a := range d.attrs {
			add(a)
		}
		r.Attrs(add)
		line = strings.Join(parts, "  ")
	default:
		return nil // an event of the audit, or that something was done
	}
	_, err := fmt.Fprintln(d.out, r.Time.Format("15:04:05")+"  "+visible(line))
	return err
}

// requestLine returns method, route, status and time of a request, and what else its
// access event has of interest.
func requestLine(r slog.Record) string {
	at := map[string]string{}
	var took int64
	r.Attrs(func(a slog.Attr) bool {
		at[a.Key] = a.Value.String()
		if a.Key == "duration_us" {
			took = a.Value.Int64()
		}
		return true
	})
	parts := []string{at["method"], at["route"], at["status"], fmt.Sprintf("%.1f ms", float64(took)/1000)}
	for _, name := range []string{"client_id", "error", "error_description", "cause", "scope", "note"} {
		if value := at[name]; value != "" {
			parts = append(parts, strings.TrimSuffix(name, "_id")+"="+value)
		}
	}
	if at["active"] == "false" {
		parts = append(parts, "inactive")
	}
	if at["status"] >= "400" {
		parts = append(parts, "request_id="+at["request_id"])
	}
	return strings.Join(parts, "  ")
}

// held is a writer that keeps what it is given until release is called: lines about
// requests come after the text that says what there is.
type held struct {
	mu       sync.Mutex
	out      io.Writer
	lines    []byte
	released bool
}

// Write implements io.Writer.
func (h *held) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return h.out.Write(b)
	}
	h.lines = append(h.lines, b...)
	return len(b), nil
}

// release writes what was kept, and from now on everything at once.
func (h *held) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.lines) > 0 {
		_, _ = h.out.Write(h.lines)
	}
	h.lines, h.released = nil, true
}
