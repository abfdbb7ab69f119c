package mcp

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/server/clients"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/poll"
)

const (
	scope = "users:read"
	// patience is for a machine that is busy with other tests.
	patience       = 20 * time.Second
	installTimeout = 3 * time.Minute // the registry may be slow
)

// world is a grantd, an MCP server that asks it, and the client agent of that
// MCP server.
type world struct {
	*harness.Server
	mcp       string // the URL of the MCP server
	rs, agent clients.Created
}

// edit turns metadata.mcp on or off.
func edit(on bool) harness.Options {
	return harness.Options{Edit: func(c *config.Config) { c.Metadata.MCP = on }}
}

func newWorld(t *testing.T, s *harness.Server) *world {
	t.Helper()
	w := &world{Server: s, mcp: "http://" + freeAddress(t) + "/mcp"}
	w.rs = s.NewClient(t, "notes-mcp", "introspect", func(c *clients.NewSpec) { c.Resource = &w.mcp })
	w.agent = w.client(t, "agent", scope, w.mcp)
	p := w.start(t, w.rs, programs(t, "server"))
	poll.AwaitTrue(t, patience, "the MCP server is ready", func() bool { return strings.Contains(p.errors(), "ready mcp=") })
	return w
}

// client makes a client that may ask for tokens for the resources.
func (w *world) client(t *testing.T, id, scope string, resources ...string) clients.Created {
	t.Helper()
	return w.NewClient(t, id, scope, func(c *clients.NewSpec) { c.Resources = &resources })
}

// sdks are the clients of the page, by the language of their SDK.
var sdks = map[string]func(t *testing.T) []string{
	"go":         func(t *testing.T) []string { return programs(t, "client") },
	"typescript": func(t *testing.T) []string { installNode(t); return []string{"node", "node/client.mjs"} },
}

// process is a program of the page.
type process struct {
	in     io.Writer
	out    *bufio.Reader
	exited chan struct{}
	mu     sync.Mutex
	stderr bytes.Buffer
}

// start starts a program of the page with the credentials of a client.
func (w *world) start(t *testing.T, c clients.Created, command []string) *process {
	t.Helper()
	p := &process{exited: make(chan struct{})}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "ISSUER="+w.URL, "MCP_URL="+w.mcp, "CLIENT_ID="+c.ClientID, "CLIENT_SECRET="+c.ClientSecret)
	cmd.Stderr = p
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, printed, err := os.Pipe() // unlike a pipe of cmd, it may be read after the end
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = printed.Close()
	p.in, p.out = in, bufio.NewReader(out)
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.exited
		_ = out.Close()
	})
	return p
}

// Write collects what the program writes to standard error.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

func (p *process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// call has the client call the tool, and returns what it prints: "" if it ends.
func (p *process) call(t *testing.T) string {
	t.Helper()
	_, _ = io.WriteString(p.in, "\n") // fails if it has ended
	line := make(chan string, 1)
	go func() {
		text, _ := p.out.ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		return text
	case <-time.After(patience):
		t.Fatalf("the client does nothing: %s", p.errors())
		return ""
	}
}

// fails waits until the client ends, and checks what it says.
func (p *process) fails(t *testing.T, says string) {
	t.Helper()
	if line := p.call(t); line != "" {
		t.Fatalf("the client got %q", line)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatal("the client does not end")
	}
	if !strings.Contains(p.errors(), says) {
		t.Errorf("the client says %s\nwant %s", p.errors(), says)
	}
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "grantd-mcp-")
	if err != nil {
		return "", err
	}
	return dir, exec.Command("go", "build", "-o", dir+"/", "./server", "./client").Run()
})

// programs returns the command line of a program of the page, once it is built.
func programs(t *testing.T, name string) []string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatalf("cannot build the programs of the page: %v", err)
	}
	return []string{filepath.Join(dir, name)}
}

var install = sync.OnceValues(func() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = "node"
	return cmd.CombinedOutput()
})

func installNode(t *testing.T) {
	t.Helper()
	if out, err := install(); err != nil {
		t.Fatalf("cannot install the TypeScript SDK: %v\n%s", err, out)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := build(); err == nil { // built already, unless no test ran
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}
