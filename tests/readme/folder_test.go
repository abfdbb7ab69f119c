package readme

import (
	"os"
	"path/filepath"
	"testing"
)

// copyTree copies the source, so that nothing is left behind in it.
func copyTree(t *testing.T, from string) (to string) {
	t.Helper()
	to = newFolder(t)
	for _, name := range []string{"main.go", "go.mod", "go.sum"} {
		b, err := os.ReadFile(from + "/" + name)
		if err == nil {
			err = os.WriteFile(to+"/"+name, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"config", "scopes", "server", "store", "deploy/gateways"} {
		if err := os.CopyFS(to+"/"+name, os.DirFS(from+"/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// programFolder makes a folder that holds the program.
func programFolder(t *testing.T, program string) (folder string) {
	t.Helper()
	folder = newFolder(t)
	if err := os.Symlink(program, filepath.Join(folder, "grantd")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// newFolder makes a folder with a short path: those of sockets are limited.
func newFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "grantd-readme-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}
