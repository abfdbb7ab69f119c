// Package program gives tests the grantd program, which they run as a separate
// process. All of them run the same file, so that it is built once, in the
// configuration that is released: without the race detector and without cgo.
package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Variable is the environment variable with the path of a program that was
// built before the tests; `make test` sets it.
const Variable = "TEST_GRANTD"

// Path returns the path of the grantd program. Without the variable it builds
// ./bin/grantd as `make build` does, which takes a moment if nothing changed.
func Path(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("building grantd: %v", err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(Variable); path != "" {
		_, err := os.Stat(path)
		return path, err
	}
	root, err := run("go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(root, "bin"))
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(root, "bin", "grantd")
	_, err = run("make", "-s", "-C", root, "build")
	return path, err
})

// lock lets one test package build at a time: they run beside each other.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil // which ends the lock
}

func run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
