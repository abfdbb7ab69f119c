package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// logged writes the changes, with a store that fails or not, and returns the
// lines of the log with the message audit.
func logged(t *testing.T, fail error, handler func(*bytes.Buffer) slog.Handler, changes ...Change) []string {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f := storetest.NewFaulty(s)
	if fail != nil {
		f.Fail("AppendAudit", fail)
	}
	var out bytes.Buffer
	l := &Log{Store: f, Now: func() time.Time { return time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC) }, Log: slog.New(handler(&out))}
	l.Write(t.Context(), changes...)
	var lines []string
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, `"msg":"audit"`) || strings.Contains(line, "msg=audit ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func jsonLines(out *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(out, nil) }

var renamed = Change{
	Actor: Actor{Name: "uid:0", Address: "192.0.2.7", RequestID: "0badcafe"}, Action: "client.update", Target: "client:billing",
	Before: map[string]any{"name": "Bill"}, After: map[string]any{"name": "Billing"},
}

// Each event is a line, also if the store does not take it.
func TestEachEventIsALine(t *testing.T) {
	gathered := Change{
		Actor: Actor{Name: "client:shop"}, Action: "token.issue", Target: "secret:shop/1", Traffic: true,
		Count: 3, Since: time.Date(2026, 1, 31, 7, 59, 0, 0, time.UTC), Addresses: 2,
	}
	for name, fail := range map[string]error{"stored": nil, "not stored": errors.Join(errors.New("down"), store.ErrUnavailable)} {
		var got []map[string]any
		for _, line := range logged(t, fail, jsonLines, renamed, gathered) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			got = append(got, m)
		}
		want := []map[string]any{{
			"time": "2026-01-31T08:00:00Z", "level": "INFO", "msg": "audit", "action": "client.update", "actor": "uid:0",
			"target": "client:billing", "outcome": "done", "address": "192.0.2.7", "request_id": "0badcafe",
			"before": map[string]any{"name": "Bill"}, "after": map[string]any{"name": "Billing"},
		}, {
			"time": "2026-01-31T08:00:00Z", "level": "INFO", "msg": "audit", "action": "token.issue", "actor": "client:shop",
			"target": "secret:shop/1", "outcome": "done", "since": "2026-01-31T07:59:00Z", "count": 3.0, "addresses": 2.0,
		}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// What a caller sends cannot make a line long.
func TestLinesAreBounded(t *testing.T) {
	long := strings.Repeat("ü", 1<<20)
	views := map[string]string{"name": strings.Repeat(`"`, maxLineView/2)} // escaped, it is too large
	lines := logged(t, nil, jsonLines, Change{
		Actor: Actor{Name: long, Address: long, RequestID: long}, Action: "client.update", Target: long, Before: long, After: views,
	})
	if len(lines) != 1 || len(lines[0]) > 16<<10 || !strings.Contains(lines[0], `"before":"too large: `) || !strings.Contains(lines[0], `"after":"too large: `) {
		t.Errorf("%d lines: %.2000s", len(lines), lines)
	}
}

func TestLineAsText(t *testing.T) {
	text := func(out *bytes.Buffer) slog.Handler { return slog.NewTextHandler(out, nil) }
	lines := logged(t, nil, text, renamed)
	if len(lines) != 1 || !strings.Contains(lines[0], `action=client.update actor=uid:0 target=client:billing outcome=done`) ||
		!strings.Contains(lines[0], `after="{\"name\":\"Billing\"}"`) {
		t.Errorf("%q", lines)
	}
}
