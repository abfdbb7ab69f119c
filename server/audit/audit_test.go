package audit

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
