package deps

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// root is the top folder of the repository, seen from this package.
const root = "../.."

// kinds of a text.
const (
	comment  = "comment"
	literal  = "string"
	markdown = "Markdown"
)

// text is a comment, a string literal or a Markdown file.
type text struct {
	file string // path from the root, with slashes
	line int    // of its first line
	kind string
	body string // without comment markers and quotes
}

// lineOf returns the line number of an offset in the body.
func (x text) lineOf(offset int) int { return x.line + strings.Count(x.body[:offset], "\n") }

// texts keeps what allTexts returned: the tests of this package run one after
// the other.
var texts []text

// allTexts returns the texts of all Go and Markdown files in the repository.
func allTexts(t *testing.T) []text {
	t.Helper()
	if texts == nil {
		texts = readTexts(t)
	}
	return texts
}

func readTexts(t *testing.T) (all []text) {
	t.Helper()
	for _, file := range allFiles(t) {
		switch filepath.Ext(file) {
		case ".go":
			all = append(all, goTexts(t, file)...)
		case ".md":
			b, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text{file, 1, markdown, string(b)})
		}
	}
	if len(all) < 1000 {
		t.Fatalf("only %d texts: this test does not find the repository", len(all))
	}
	return all
}

// allFiles returns the paths of the files in the repository, without those of
// tools and of runs of the program.
func allFiles(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != root
		if d.IsDir() && (hidden || d.Name() == "node_modules" || d.Name() == "bin" || d.Name() == "grantd-data") {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			file, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func goTexts(t *testing.T, file string) (all []text) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, filepath.Join(root, file), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range f.Comments {
		var lines []string
		for _, c := range group.List {
			lines = append(lines, strings.TrimPrefix(c.Text, "//"))
		}
		all = append(all, text{file, fset.Position(group.Pos()).Line, comment, strings.Join(lines, "\n")})
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if body, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
				all = append(all, text{file, fset.Position(n.Pos()).Line, literal, body})
			}
		}
		return true
	})
	return all
}
