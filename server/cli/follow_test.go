package cli

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/grantd/grantd/tests/capture"
	"github.com/grantd/grantd/tests/poll"
)

// TestFollowShowsEventsThatAppearBelow: the two streams of the audit can be on
// Redis nodes with different clocks, so a new event may be older than one that
// was shown before.
func TestFollowShowsEventsThatAppearBelow(t *testing.T) {
	var events atomic.Value
	events.Store(`{"id":"1","action":"first"}`)
	socket := onSocket(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"events":[` + events.Load().(string) + `]}`))
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, code := &capture.Buffer{}, make(chan int, 1)
	go func() {
		code <- Run(ctx, []string{"audit", "--follow", "--socket", socket, "--output", "json"}, Streams{Out: out, Err: out})
	}()
	shows := func(action string) {
		t.Helper()
		poll.AwaitTrue(t, poll.Patience, action, func() bool { return strings.Contains(out.String(), action) })
	}
	shows("first")
	events.Store(`{"id":"3","action":"third"},{"id":"1","action":"first"}`)
	shows("third")
	events.Store(`{"id":"3","action":"third"},{"id":"2","action":"second"},{"id":"1","action":"first"}`)
	shows("second")
	events.Store(`{"id":"4","action":"fourth"},{"id":"3","action":"third"},{"id":"2","action":"second"},{"id":"1","action":"first"}`)
	shows("fourth")
	cancel()
	if got := <-code; got != exitDone || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("exit code %d, want each event once: %s", got, out)
	}
}
