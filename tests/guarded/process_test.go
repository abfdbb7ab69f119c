package guarded_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs beside the test.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// startProcess starts a program, waits until it prints a line that begins with ready,
// and returns the rest of that line. The process is killed when the test ends.
func startProcess(t *testing.T, name, ready, path string, args ...string) (p *process, rest string) {
	t.Helper()
	var why string
	for range 3 { // on a busy machine, a time-out may end a program at its start
		if p, rest, why = tryProcess(t, ready, path, args...); why == "" {
			return p, rest
		}
	}
	t.Fatalf("%s %s", name, why)
	return nil, ""
}

// tryProcess starts a program, and returns what is wrong if it does not become ready.
func tryProcess(t *testing.T, ready, path string, args ...string) (p *process, rest, wrong string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p = &process{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line := make(chan string, 1)
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), ready); ok {
				line <- rest
				break
			}
		}
		_ = p.cmd.Wait()
	}()
	wrong = "is not ready"
	select {
	case rest := <-line:
		return p, rest, ""
	case <-p.ended:
		wrong = "ended at its start"
	case <-time.After(patience):
		p.kill()
	}
	b, _ := os.ReadFile(file)
	return nil, "", wrong + ":\n" + string(b)
}

// kill ends the process at once (SIGKILL).
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop ends the process as a service manager does, and waits until it has ended.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.ended
}

// newFolder makes a folder with a short path: those of sockets are limited.
func newFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grantd-guarded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// freeAddr returns an address of loopback that is free now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
