package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	got := grantd(t, "", "man", dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if got.code != exitDone || err != nil || len(files) < 60 || !strings.HasPrefix(got.out, plural(len(files), "manual page")+" written to ") {
		t.Fatalf("%+v, %d pages, %v", got, len(files), err)
	}
	for _, file := range files {
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(page), "\n") {
			if known := []string{".TH ", ".SH ", ".nf", ".fi", ".TP", ".BR ", ".B ", ".PP"}; strings.HasPrefix(line, ".") && !hasAnyPrefix(line, known) {
				t.Errorf("%s: %q is read as a request", filepath.Base(file), line)
			}
		}
		for _, section := range []string{".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n"} {
			if !strings.Contains(string(page), section) {
				t.Errorf("%s has no %s", file, section)
			}
		}
		if mandoc, err := exec.LookPath("mandoc"); err == nil {
			if said, err := exec.Command(mandoc, "-Tlint", "-Wwarning", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %s", file, said)
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "grantd-client-delete.1"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "grantd-client-delete.1", string(page))
	page, err = os.ReadFile(filepath.Join(dir, "grantd.1"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "grantd.1", string(page))
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
