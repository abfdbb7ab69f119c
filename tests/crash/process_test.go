package crash_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/parallel"
	"github.com/grantd/grantd/tests/program"
)

// patience bounds every wait for a process.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if folder := os.Getenv(fullFolder); folder != "" {
		if err := fillAndMakeRoom(folder); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(parallel.Main(m, 4))
}

// folder holds the data, the socket and the configuration of one grantd.
type folder struct {
	path   string
	listen string
	drain  string // "": 0s
	extra  string // more lines of configuration
}

func newFolder(t *testing.T) folder {
	t.Helper()
	path, err := os.MkdirTemp("", "grantd-crash-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return folder{path: path, listen: "127.0.0.1:0"}
}

// config writes the configuration, with a different socket for every name, and
// returns its path.
func (f folder) config(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(f.path, name+".yaml")
	text := fmt.Sprintf(`public: {listen: %q}
admin: {socket: %q}
metrics: {listen: ""}
store: {backend: embedded, embedded: {path: %q}}
log: {level: warn}
shutdown: {drain: %s}
limits: {issue_per_client: {count: 600000}, revocations_per_client: {count: 60000}}
%s`, f.listen, filepath.Join(f.path, name+".sock"), filepath.Join(f.path, "data"), cmp.Or(f.drain, "0s"), f.extra)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a `grantd serve`.
type process struct {
	cmd    *exec.Cmd
	URL    string
	admin  *http.Client
	stdout bytes.Buffer // complete after wait
	stderr bytes.Buffer

	ready chan string
	done  chan struct{}
	err   error
}

// launch starts grantd and does not wait for it.
func launch(t *testing.T, f folder, name string) *process {
	t.Helper()
	p := &process{ready: make(chan string, 1), done: make(chan struct{})}
	p.cmd = exec.Command(program.Path(t), "serve", "--config", f.config(t, name))
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.path}
	p.cmd.Dir = f.path
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(io.TeeReader(out, &p.stdout))
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				p.ready <- lines.Text()
			}
		}
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() { p.kill(); <-p.done })
	return p
}

// serve starts grantd and waits until it is ready.
func serve(t *testing.T, f folder, name string) *process {
	t.Helper()
	p := launch(t, f, name)
	select {
	case line := <-p.ready:
		var socket string
		if _, err := fmt.Sscanf(line, "ready public=%s admin=%s", &p.URL, &socket); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		p.admin = &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 32,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", socket)
			},
		}}
	case <-p.done:
		t.Fatalf("grantd ended: %v\n%s", p.err, p.stderr.String())
	case <-time.After(patience):
		t.Fatal("grantd is not ready")
	}
	return p
}

// kill sends SIGKILL, which gives the process no chance to do anything.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// wait returns the exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("grantd does not end")
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		t.Fatal(p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// atOnce runs n calls of f at the same time and waits for all of them.
func atOnce(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
