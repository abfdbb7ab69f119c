package audit

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/embedded"
	"github.com/grantd/grantd/store/storetest"
)

// The event of a change that cannot be audited goes to the server's log,
// complete.
func TestAuditThatCannotBeWrittenGoesToTheLog(t *testing.T) {
	s, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f := storetest.NewFaulty(s)
	f.Fail("AppendAudit", errors.Join(errors.New("down"), store.ErrUnavailable))
	var out bytes.Buffer
	l := &Log{Store: f, Now: time.Now, Log: slog.New(slog.NewJSONHandler(&out, nil))}
	l.Write(t.Context(), Change{
		Actor: Actor{Name: "uid:0", RequestID: "0badcafe"}, Action: "client.deactivate", Target: "client:billing",
		Before: map[string]any{"name": "Billing"},
	})
	for _, part := range []string{`"level":"ERROR"`, "client.deactivate", "client:billing", "uid:0", "0badcafe", "Billing"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the log lacks %s: %s", part, out.String())
		}
	}
}

// What a caller sends cannot make an event large.
func TestEventsAreBounded(t *testing.T) {
	s, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	l := &Log{Store: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	long := strings.Repeat("ü", 1<<20)
	l.Write(t.Context(), Change{
		Actor: Actor{Name: long, Address: long, RequestID: long}, Action: "client.delete", Target: "client:" + long,
		Before: long, After: map[string]string{"name": "Billing"},
	})
	events, err := s.ListAudit(t.Context(), "", 10)
	if err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	e := events[0]
	for name, text := range map[string]string{"actor": e.Actor, "address": e.Address, "request id": e.RequestID, "target": e.Target} {
		if len(text) > maxText+len("…") || !utf8.ValidString(text) || !strings.HasSuffix(text, "…") {
			t.Errorf("%s has %d bytes", name, len(text))
		}
	}
	if string(e.Before) != `"too large: 2097154 bytes"` || string(e.After) != `{"name":"Billing"}` {
		t.Errorf("before %.40s, after %s", e.Before, e.After)
	}
}

// Many events are written a part at a time. If one part fails, the rest goes to
// the log at once.
func TestManyEventsAreWrittenInParts(t *testing.T) {
	s, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f := storetest.NewFaulty(s)
	failed := 0
	l := &Log{Store: f, Now: time.Now, Log: slog.New(slog.DiscardHandler), Failed: func(n int) { failed += n }}
	l.Write(t.Context(), make([]Change, 2*writeAtOnce+1)...)
	if events, err := s.ListAudit(t.Context(), "", 3*writeAtOnce); err != nil || len(events) != 2*writeAtOnce+1 {
		t.Errorf("%d events, %v", len(events), err)
	}
	f.Fail("AppendAudit", store.ErrUnavailable)
	l.Write(t.Context(), make([]Change, 2*writeAtOnce+1)...)
	if failed != 2*writeAtOnce+1 {
		t.Errorf("%d events are reported as failed", failed)
	}
}
