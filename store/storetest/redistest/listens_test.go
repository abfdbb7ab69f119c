package redistest

import (
	"os"
	"testing"
)

// TestStartDoesNotShare checks that a server whose port is taken does not count as
// ready, although another one replies there.
func TestStartDoesNotShare(t *testing.T) {
	t.Parallel()
	first := Start(t)
	second := &Server{t: t, dir: t.TempDir(), Addr: first.Addr}
	t.Cleanup(second.Kill)
	if err := second.start(); err == nil {
		t.Error("a second server on the same port is ready")
	}
	if ours, err := listens(first.cmd.Process.Pid, first.Addr); err != nil || !ours {
		t.Errorf("the first server does not listen: %v", err)
	}
	if ours, err := listens(os.Getpid(), first.Addr); err != nil || ours {
		t.Errorf("the test listens on the port of the server: %v", err)
	}
}
