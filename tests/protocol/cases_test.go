package protocol_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rowName matches a string literal that may be the name of a row: a rule,
// alone or with what is special about the row.
var rowName = regexp.MustCompile(`^"([a-z0-9_]+)(/[^"]*)?"$`)

// notRules begin string literals that look like the name of a row: media types
// and files.
var notRules = map[string]bool{"application": true, "text": true, "testdata": true}

// TestEveryRuleHasARow reads the names of rows from this package's own source,
// so that it does not depend on which tests run.
func TestEveryRuleHasARow(t *testing.T) {
	t.Parallel()
	rows := map[string]int{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if name == "rules_test.go" {
			continue // holds the rules, not rows
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if _, ok := n.(*ast.ImportSpec); ok {
				return false
			}
			lit, ok := n.(*ast.BasicLit)
			if !ok {
				return true
			}
			m := rowName.FindStringSubmatch(lit.Value)
			if m == nil {
				return true
			}
			rows[m[1]]++
			if m[2] != "" && rules[m[1]] == "" && !notRules[m[1]] {
				t.Errorf("%s: row %s names a rule that is not in rules_test.go", name, lit.Value)
			}
			return true
		})
	}
	for rule, says := range rules {
		if rows[rule] == 0 {
			t.Errorf("rule %s has no row: %s", rule, says)
		}
		if strings.TrimSpace(says) == "" {
			t.Errorf("rule %s does not say what it demands", rule)
		}
	}
}
