package protocol_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	caseLine = regexp.MustCompile(`(?m)^\| ([A-Z][0-9][0-9]) \|.*\|([^|]*)\|$`)
	caseName = regexp.MustCompile(`^"([A-Z][0-9][0-9])_[^"]*"$`)
)

// TestEveryCaseHasARow holds CASES.md and the tests together. A case whose
// last column is empty has a row in this package; one that names a folder is
// cited by a test there; a dash gives the reason why there is none.
func TestEveryCaseHasARow(t *testing.T) {
	rows := rowNames(t)
	cases := listedCases(t)
	for id, where := range cases {
		absent := strings.HasPrefix(where, "—")
		switch {
		case where == "" && rows[id] == 0:
			t.Errorf("%s has no row", id)
		case where != "" && rows[id] > 0:
			t.Errorf("%s has a row here, and CASES.md says %q", id, where)
		case where != "" && !absent && !cites(t, where, id):
			t.Errorf("no test in %s cites %s", where, id)
		case absent && strings.Trim(where, "— ") == "":
			t.Errorf("%s is left out without a reason", id)
		}
	}
	for id := range rows {
		if _, ok := cases[id]; !ok {
			t.Errorf("a row names %s, which CASES.md does not have", id)
		}
	}
}

// listedCases returns the ids of CASES.md, each with its last column.
func listedCases(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("CASES.md")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{}
	for _, m := range caseLine.FindAllStringSubmatch(string(page), -1) {
		if _, twice := cases[m[1]]; twice {
			t.Errorf("CASES.md has %s twice", m[1])
		}
		cases[m[1]] = strings.TrimSpace(m[2])
	}
	if len(cases) < 200 {
		t.Fatalf("CASES.md has %d cases: its tables are not read", len(cases))
	}
	return cases
}

// rowNames counts the rows of each case. It reads this package's own source,
// so that it does not matter which tests run.
func rowNames(t *testing.T) map[string]int {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok {
				if m := caseName.FindStringSubmatch(lit.Value); m != nil {
					rows[m[1]]++
				}
			}
			return true
		})
	}
	return rows
}

// cites reports whether a Go file in the folder, a path from the root of the
// repository, names the case.
func cites(t *testing.T, folder, id string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), id) {
			return true
		}
	}
	return false
}
