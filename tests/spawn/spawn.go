// Package spawn starts programs of others for tests and ends them with the test. It
// knows nothing of what they are.
package spawn

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/poll"
)

// attempts is how often a program is started that must be told its port: another
// program may have taken the port meanwhile.
const attempts = 3

// StartTimeout is for a machine that is busy with other tests.
const StartTimeout = time.Minute

// stopTimeout is how long a program may take to end before it is killed.
const stopTimeout = 5 * time.Second

// Process is a program that runs until the test ends.
type Process struct {
	exited chan struct{}
	mu     sync.Mutex
	output bytes.Buffer
}

// Write collects what the program prints.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

func (p *Process) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

func (p *Process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// launch starts a program, ends it with the test, and shows what it printed if the
// test fails.
func launch(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: make tools installs what the tests need", err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(stopTimeout):
			_ = cmd.Process.Kill()
			<-p.exited
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", cmd.Path, tail(p.String()))
		}
	})
	return p
}

// tail returns the last lines of a log.
func tail(log string) string {
	lines := strings.Split(log, "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// Announced starts a program that chooses its port, and returns what follows prefix in
// the line that announces it.
func Announced(t testing.TB, prefix string, cmd *exec.Cmd) (url string) {
	t.Helper()
	p := launch(t, cmd)
	poll.Await(t, StartTimeout, cmd.Path+" starts", func() string {
		if p.ended() {
			t.Fatalf("%s ended:\n%s", cmd.Path, p)
		}
		for lines := bufio.NewScanner(strings.NewReader(p.String())); lines.Scan(); {
			if value, ok := strings.CutPrefix(lines.Text(), prefix); ok {
				url = value
				return ""
			}
		}
		return "it does not print " + prefix
	})
	return url
}

// Listening starts a program that must be told its address, and returns the address
// once it accepts connections.
func Listening(t testing.TB, command func(address string) *exec.Cmd) (address string) {
	t.Helper()
	for range attempts {
		address = FreeAddress(t)
		cmd := command(address)
		p := launch(t, cmd)
		reason := poll.LastReason(StartTimeout, func() string {
			if p.ended() {
				return ""
			}
			c, err := net.DialTimeout("tcp", address, time.Second)
			if err != nil {
				return err.Error()
			}
			_ = c.Close()
			return ""
		})
		if !p.ended() && reason == "" {
			return address
		}
		t.Logf("%s does not start at %s: %s\n%s", cmd.Path, address, reason, p)
	}
	t.Fatalf("the program did not start in %d attempts", attempts)
	return ""
}

var given sync.Map // the addresses that FreeAddress has returned

// FreeAddress returns an address of loopback that nothing listens on. It returns none
// twice.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		if _, again := given.LoadOrStore(address, true); !again {
			return address
		}
	}
}

// WriteFile puts a file into a folder of the test and returns its path. If mode lets
// other users read it, they can reach it.
func WriteFile(t testing.TB, mode os.FileMode, content string) string {
	t.Helper()
	dir := t.TempDir()
	if mode&0o004 != 0 {
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, content); err != nil {
		t.Fatal(err)
	}
	if err := f.Chmod(mode); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// Folder returns a new folder of the test, which other users can read.
func Folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
