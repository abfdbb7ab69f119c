package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/tests/program"
)

// TestRun is a short run of the whole benchmark with real programs, which checks
// every response. It ignores the figures.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it puts a load on three servers")
	}
	dir := t.TempDir()
	o, err := parseFlags([]string{"-grantd", program.Path(t), "-rounds", "1", "-time", "1s", "-conns", "4", "-cases", "issue-form|hot|cold|wrong|customer-issue|on-behalf-issue|calls|gateways", "-warm", "200", "-cold", "20000", "-out", dir}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	r := readResults(t, dir)
	if want := 7 * 3; len(r.Measurements) != want {
		t.Errorf("%d measurements, want %d", len(r.Measurements), want)
	}
	for _, name := range []string{"results.md", "results.svg", "calls.json", "calls.md", "calls.svg", "gateways.json", "gateways.md"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, error %v", name, len(b), err)
		}
	}
}

// TestPagesShowTheLastRun: the README and the page name the date and the program
// of the run whose results are in this folder.
func TestPagesShowTheLastRun(t *testing.T) {
	m := readResults(t, ".").Machine
	var c calls
	readJSON(t, "calls.json", &c)
	var g gateways
	readJSON(t, "gateways.json", &g)
	for _, page := range []string{filepath.Join("..", "..", "README.md"), "BENCHMARK.md"} {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, fact := range []string{m.Date, m.CPU, "results.svg", c.Machine.Date, "calls.svg"} {
			if !strings.Contains(string(b), fact) {
				t.Errorf("%s does not have %q, which is in the results: bring it up to date", page, fact)
			}
		}
	}
	b, err := os.ReadFile("BENCHMARK.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range g.tables()[1:] {
		for _, cells := range table.rows {
			if line := "| " + strings.Join(cells, " | ") + " |"; !strings.Contains(string(b), line) {
				t.Errorf("BENCHMARK.md does not have %q, which is in gateways.json: bring it up to date", line)
			}
		}
	}
	if !strings.Contains(string(b), g.Machine.Date) {
		t.Errorf("BENCHMARK.md does not have the date of gateways.json")
	}
}

func readResults(t *testing.T, dir string) (r results) {
	t.Helper()
	readJSON(t, filepath.Join(dir, "results.json"), &r)
	return r
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
