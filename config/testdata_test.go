package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each file in testdata/bad has one fault. The first line is the error of Load:
// "# want: path: problem", with {file} for the name of the file.
func TestBadFiles(t *testing.T) {
	for _, name := range files(t, "testdata/bad") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			_, _, err := Load(LoadOptions{File: name})
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("Load: error %v, want Faults", err)
			}
			if got, want := faults.Error(), "config: "+wanted(t, name); got != want {
				t.Errorf("Load:\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestGoodFiles(t *testing.T) {
	for _, name := range files(t, "testdata/good") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if _, _, err := Load(LoadOptions{File: name}); err != nil {
				t.Error(err)
			}
		})
	}
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s (%v)", folder, err)
	}
	return names
}

func wanted(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(data), "\n")
	want, ok := strings.CutPrefix(first, "# want: ")
	if !ok {
		t.Fatalf("%s: the first line is not a # want: line", name)
	}
	return strings.ReplaceAll(want, "{file}", name)
}
