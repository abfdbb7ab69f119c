package readme

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	blockTime = 6 * time.Minute // go build is in one, on a machine that has built nothing yet
	readyTime = 6 * time.Minute // go run is one
	stopTime  = 30 * time.Second
)

// starts finds the lines that run until Ctrl-C.
var starts = regexp.MustCompile(`^(?:[A-Z_]+=\S+ )*(?:go run (?:-\w+ (?:\w+ )?)*(?:\. dev|\./api)|\./grantd (?:serve|edge)|redis-server|python3 -um http\.server)\b`)

// ready matches what they print once they serve.
var ready = regexp.MustCompile(`(?m)^ready (?:public|api|edge)=.*\n|Ready to accept connections|^Serving HTTP on .*\n`)

// shell is a bash that stays, as in a terminal.
type shell struct {
	t       *testing.T
	dir     string
	env     []string
	in      io.Writer
	out     *bufio.Reader
	stderr  *output
	servers []*process
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	news chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.news <- struct{}{}:
	default:
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func newOutput() *output { return &output{news: make(chan struct{}, 1)} }

// process is a server in the background.
type process struct {
	line        string
	cmd         *exec.Cmd
	out, stderr *output
	done        chan struct{}
}

func newShell(t *testing.T, dir string, env []string) *shell {
	t.Helper()
	s := &shell{t: t, dir: dir, env: env, stderr: newOutput()}
	cmd := exec.Command("bash", "-eu", "-o", "pipefail")
	cmd.Dir, cmd.Env, cmd.Stderr = dir, env, s.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.in, s.out = in, bufio.NewReader(out)
	t.Cleanup(func() {
		s.interrupt()
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return s
}

// run types a block and returns what it printed. A failing command ends the
// shell and fails the test.
func (s *shell) run(text string) string {
	s.t.Helper()
	const mark = "grantd-readme-block-done"
	// Starts with a line break: what came before may end without one.
	fmt.Fprintf(s.in, "%s\nprintf '\\n%%s\\n' %s\n", strings.TrimRight(text, "\n"), mark)
	timer := time.AfterFunc(blockTime, func() { s.t.Errorf("not done after %s:\n%s", blockTime, text) })
	defer timer.Stop()
	var printed strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if strings.TrimSpace(line) == mark {
			return strings.TrimSuffix(printed.String(), "\n")
		}
		printed.WriteString(line)
		if err != nil {
			s.t.Fatalf("a command failed in\n%s\nIt printed\n%s\n%s\nservers:\n%s", text, printed.String(), s.stderr, s.said())
		}
	}
}

// start starts a server and returns what it printed until it was ready.
func (s *shell) start(line string) string {
	s.t.Helper()
	p := &process{line: line, out: newOutput(), stderr: newOutput(), done: make(chan struct{})}
	p.cmd = exec.Command("bash", "-c", "exec env "+line)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.dir, s.env, p.out, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches what go run runs
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	s.servers = append(s.servers, p)
	give := time.After(readyTime)
	for !ready.MatchString(p.out.String()) {
		select {
		case <-p.out.news:
		case <-p.done:
			s.t.Fatalf("%s: ended:\n%s%s", line, p.out, p.stderr)
		case <-give:
			s.t.Fatalf("%s: not ready after %s:\n%s%s", line, readyTime, p.out, p.stderr)
		}
	}
	return p.out.String()
}

// interrupt is Ctrl-C for all servers, the last first.
func (s *shell) interrupt() {
	for i := len(s.servers) - 1; i >= 0; i-- {
		p := s.servers[i]
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT)
		select {
		case <-p.done:
		case <-time.After(stopTime):
			s.t.Errorf("%s: still there %s after Ctrl-C", p.line, stopTime)
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		}
	}
	s.servers = nil
}

func (s *shell) said() string {
	var all strings.Builder
	for _, p := range s.servers {
		fmt.Fprintf(&all, "%s\n%s%s", p.line, p.out, p.stderr)
	}
	return all.String()
}

// stopDaemon stops what a page started and, because the test failed, did not stop.
func stopDaemon(t *testing.T, pidFile string) {
	t.Helper()
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}
