package audit

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"

	"github.com/grantd/grantd/store"
)

const (
	// lineMessage is the message of the log line of an event.
	lineMessage = "audit"
	// maxLineView bounds before and after in a line, in bytes each: a whole line
	// fits into 16 KiB, where Docker and others break lines.
	maxLineView = 4 << 10
)

// logEvents writes each event to the server's log, at the time of the event and
// with the names that the event has in the audit. It runs before the store gets
// the events, so that a store that fails or is lost takes nothing along.
func (l *Log) logEvents(ctx context.Context, events []store.AuditEvent) {
	handler := l.Log.Handler()
	if !handler.Enabled(ctx, slog.LevelInfo) {
		return
	}
	for _, e := range events {
		line := slog.NewRecord(e.Time, slog.LevelInfo, lineMessage, 0)
		line.AddAttrs(slog.String("action", e.Action), slog.String("actor", e.Actor))
		addText(&line, "target", e.Target)
		line.AddAttrs(slog.String("outcome", e.Outcome))
		addText(&line, "address", e.Address)
		addText(&line, "request_id", e.RequestID)
		if !e.Since.IsZero() {
			line.AddAttrs(slog.Time("since", e.Since))
		}
		addNumber(&line, "count", e.Count)
		addNumber(&line, "addresses", e.Addresses)
		addView(&line, "before", e.Before)
		addView(&line, "after", e.After)
		_ = handler.Handle(ctx, line) // there is no place to report it: this is the log
	}
}

func addText(line *slog.Record, name, text string) {
	if text != "" {
		line.AddAttrs(slog.String(name, text))
	}
}

func addNumber(line *slog.Record, name string, n int64) {
	if n != 0 {
		line.AddAttrs(slog.Int64(name, n))
	}
}

// addView adds a record, or its size if it is too large for a line.
func addView(line *slog.Record, name string, view json.RawMessage) {
	switch {
	case len(view) > maxLineView:
		line.AddAttrs(slog.Any(name, tooLarge(len(view))))
	case len(view) > 0:
		line.AddAttrs(slog.Any(name, view))
	}
}

// tooLarge returns what an event shows instead of a view of so many bytes.
func tooLarge(size int) json.RawMessage {
	return json.RawMessage(`"too large: ` + strconv.Itoa(size) + ` bytes"`)
}
