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

// lab is the place of a run: a temporary folder with the programs that are
// measured.
type lab struct {
	dir    string
	grantd string // path of the program
	floor  string
	// guarded is a program with a guarded gin handler.
	guarded string
	api     string                           // an API behind a gateway
	root    string                           // folder of the source
	say     func(format string, args ...any) // progress, on standard error

	running []*process // processes started since the last endAll
}

// newLab creates the folder and builds the programs. close removes them.
func newLab(ctx context.Context, grantd string, say func(string, ...any)) (*lab, error) {
	dir, err := os.MkdirTemp("", "grantd-bench-") // short, because sockets are in it
	if err != nil {
		return nil, err
	}
	l := &lab{dir: dir, grantd: grantd, floor: filepath.Join(dir, "floor.bin"), guarded: filepath.Join(dir, "guarded.bin"), api: filepath.Join(dir, "api.bin"), say: say}
	if l.root, err = sourceFolder(ctx); err != nil {
		l.close()
		return nil, err
	}
	for path, pkg := range map[string]string{
		filepath.Join(dir, "grantd.bin"): module, l.floor: module + "/tests/bench/floor", l.guarded: module + "/tests/bench/guarded",
		l.api: module + "/tests/bench/api",
	} {
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

// sourceFolder returns the folder of the module.
func sourceFolder(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

const module = "github.com/grantd/grantd"

// build builds a program with the flags of `make build`.
func build(ctx context.Context, path, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "nomsgpack", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// endAll ends all processes in reverse order.
func (l *lab) endAll() {
	for _, p := range slices.Backward(l.running) {
		p.stop()
	}
	l.running = nil
}

// close ends all processes and removes the folder.
func (l *lab) close() {
	l.endAll()
	_ = os.RemoveAll(l.dir)
}

// sub creates a folder in the lab.
func (l *lab) sub(name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// write writes a file in the lab and returns its path.
func (l *lab) write(name, text string) (string, error) {
	path := filepath.Join(l.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// freePort returns a free port of loopback. Another process can still take it.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// oneLine returns an output on one line, for messages.
func oneLine(b []byte) string { return strings.Join(strings.Fields(string(b)), " ") }
