package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// lab is where a run happens: a temporary folder, and the two programs that
// are measured in it.
type lab struct {
	dir    string
	grantd string // path of the program
	floor  string
	say    func(format string, args ...any) // progress, on standard error

	running []*process // all that were started since endAll
}

// newLab makes the folder and builds the programs; close removes it.
func newLab(ctx context.Context, grantd string, say func(string, ...any)) (*lab, error) {
	dir, err := os.MkdirTemp("", "grantd-bench-") // short: it holds sockets
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, grantd: grantd, floor: filepath.Join(dir, "floor.bin"), say: say}
	for path, pkg := range map[string]string{filepath.Join(dir, "grantd.bin"): module, l.floor: module + "/tests/bench/floor"} {
		if pkg == module {
			if grantd != "" {
				continue
			}
			l.grantd = path
		}
		say("building %s", pkg)
		if err := build(ctx, path, pkg); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

const module = "github.com/grantd/grantd"

// build builds as `make build` does.
func build(ctx context.Context, path, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "nomsgpack", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// endAll ends what runs, the last first.
func (l *lab) endAll() {
	for _, p := range slices.Backward(l.running) {
		p.stop()
	}
	l.running = nil
}

// close ends what runs and removes the folder.
func (l *lab) close() {
	l.endAll()
	_ = os.RemoveAll(l.dir)
}

// sub makes a folder in the lab.
func (l *lab) sub(name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// write puts a file into the lab and answers its path.
func (l *lab) write(name, text string) (string, error) {
	path := filepath.Join(l.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// freePort answers a port of loopback that nothing listened on just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// oneLine is an output without its line ends, for messages.
func oneLine(b []byte) string { return strings.Join(strings.Fields(string(b)), " ") }
