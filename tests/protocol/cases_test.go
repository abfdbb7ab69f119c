package protocol_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// agreed are the cases of rfc-cases.md that must have a row here, by section:
// transport, parameters, client authentication, scope, token response,
// errors, introspection, revocation, metadata, extensions, customer tokens.
var agreed = map[string]string{
	"T": "1-27",
	"P": "1-21",
	"A": "1-38 41-42 48",
	"S": "1-15",
	"R": "1-16",
	"E": "1-7 9-11",
	"I": "1-22 24-25 28-35",
	"V": "1-16",
	"M": "1-7",
	"X": "1-3 9-12",
	"C": "1-20",
}

// elsewhere are the other cases of those sections, and why they are not here.
var elsewhere = map[string]string{
	"A39": "tests/service", "A40": "tests/service",
	"A43": "private_key_jwt is not in this version", "A44": "as A43", "A45": "as A43", "A46": "as A43", "A47": "as A43", "A49": "as A43",
	"A50": "mutual TLS is not in this version", "A51": "falls: subjects have namespaces", "A52": "tests/service measures it, with A11 and I34",
	"E08": "tests/service", "I23": "tests/service",
	"I26": "tests/redis", "I27": "tests/redis",
	"X04": "authorization_details are not in this version", "X05": "DPoP is not in this version", "X06": "as X05", "X07": "as X05", "X08": "as X05",
}

var caseName = regexp.MustCompile(`^"([A-Z][0-9][0-9])_[^"]*"$`)

// TestEveryCaseHasARow reads the names of rows in this package's own source,
// so that it does not matter which tests run.
func TestEveryCaseHasARow(t *testing.T) {
	t.Parallel()
	rows := map[string]int{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
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
	last := map[string]int{"T": 27, "P": 21, "A": 52, "S": 15, "R": 16, "E": 11, "I": 35, "V": 16, "M": 7, "X": 12, "C": 20}
	for section, n := range last {
		for i := 1; i <= n; i++ {
			id := section + strconv.Itoa(i/10) + strconv.Itoa(i%10)
			why, left := elsewhere[id]
			switch {
			case within(agreed[section], i) == left:
				t.Errorf("%s stands in both lists or in none", id)
			case left && why == "":
				t.Errorf("%s is left out without a reason", id)
			case !left && rows[id] == 0:
				t.Errorf("%s has no row", id)
			}
		}
	}
	for id := range rows {
		if n, _ := strconv.Atoi(id[1:]); last[id[:1]] < n || n == 0 {
			t.Errorf("a row names %s, which is no case", id)
		}
	}
}

// within says whether i is in a list such as "1-38 41-42 48".
func within(list string, i int) bool {
	for part := range strings.FieldsSeq(list) {
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			to = from
		}
		a, _ := strconv.Atoi(from)
		b, _ := strconv.Atoi(to)
		if a <= i && i <= b {
			return true
		}
	}
	return false
}
