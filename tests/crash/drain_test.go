package crash_test

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/poll"
)

// drains returns a process that drains for so long that the test ends before.
func drains(t *testing.T) (*process, client) {
	t.Helper()
	f := newFolder(t)
	f.drain = "2m"
	p := serve(t, f, "g")
	c := client{ID: "c", Scope: "users:read"}
	if err := c.create(p); err != nil {
		t.Fatal(err)
	}
	return p, c
}

// draining waits until /readyz says that the process drains.
func (p *process) draining(t *testing.T) {
	t.Helper()
	poll.Await(t, patience, "draining", func() string {
		res, err := http.Get(p.URL + "/readyz")
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 503 || !strings.Contains(string(body), `"cause":"draining"`) {
			return res.Status + " " + string(body)
		}
		return ""
	})
}

// TestDrain checks that after SIGTERM /readyz is 503 while requests are served, also
// on new connections, and that a second signal ends the process at once.
func TestDrain(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := drains(t)
			p.terminate(t)
			p.draining(t)
			for range 3 {
				http.DefaultClient.CloseIdleConnections()
				if _, status, err := c.issue(p, c.Secret); err != nil || status != 200 {
					t.Errorf("issuing while it drains: %d %v", status, err)
				}
			}
			if res, err := http.Get(p.URL + "/healthz"); err != nil {
				t.Errorf("healthz while it drains: %v", err)
			} else if res.Body.Close(); res.StatusCode != 200 {
				t.Errorf("healthz while it drains: %d", res.StatusCode)
			}
			begun := time.Now()
			if err := p.cmd.Process.Signal(second); err != nil {
				t.Fatal(err)
			}
			p.wait(t)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it ended %v after the second signal", took)
			}
		})
	}
}

// TestInterruptDoesNotDrain checks that SIGINT, which a person at a terminal sends,
// ends the process without the drain, and properly.
func TestInterruptDoesNotDrain(t *testing.T) {
	t.Parallel()
	p, _ := drains(t)
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0\n%s", code, p.stderr.String())
	}
}
