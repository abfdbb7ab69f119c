package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// logged answers the names that stand in the log and in the audit, and which
// file of server they are from.
func logged(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{} // name → where it is from
	verbs := map[string]string{} // folder and verb of an action without the kind of record → file
	kinds := map[string]string{} // folder → the kind of its records
	walk(t, func(file string, n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr: // slog.String("name", …) of the access event
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && file == "web/event.go" && len(n.Args) == 2 {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "slog" {
					note(names, file, n.Args[0])
				}
			}
		case *ast.CompositeLit: // {"client_id", e.ClientID}, …
			if file == "web/event.go" && len(n.Elts) == 2 {
				note(names, file, n.Elts[0])
			}
			if kind := kindOf(n); kind != "" {
				kinds[path.Dir(file)] = kind
			}
		case *ast.KeyValueExpr: // Action: "leak.report", or "create" of a kind of record
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Action" {
				action := map[string]string{}
				note(action, file, n.Value)
				for a := range action {
					if strings.Contains(a, ".") {
						names[a] = file
					} else {
						verbs[path.Dir(file)+" "+a] = file
					}
				}
			}
		case *ast.ValueSpec: // ActionIssue = "token.issue", one of several in a line
			for i, value := range n.Values {
				if strings.HasPrefix(strings.ToLower(n.Names[i].Name), "action") {
					note(names, file, value)
				}
			}
		case *ast.AssignStmt: // ev.Note = "…"
			if s, ok := n.Lhs[0].(*ast.SelectorExpr); ok && s.Sel.Name == "Note" {
				note(names, file, n.Rhs[0])
			}
		}
	})
	for verb, file := range verbs {
		folder, verb, _ := strings.Cut(verb, " ")
		for of, kind := range kinds {
			if folder == "records" || folder == of { // records does it for all kinds
				names[kind+"."+verb] = file
			}
		}
	}
	return names
}

// kindOf answers the name in a literal of records.Kind, which stands before
// the verb in an action: client.create.
func kindOf(n *ast.CompositeLit) string {
	generic, ok := n.Type.(*ast.IndexExpr)
	if !ok {
		return ""
	}
	if s, ok := generic.X.(*ast.SelectorExpr); !ok || s.Sel.Name != "Kind" {
		return ""
	}
	for _, e := range n.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Name" {
			name, _ := strconv.Unquote(pair.Value.(*ast.BasicLit).Value)
			return name
		}
	}
	return ""
}

func note(names map[string]string, file string, e ast.Expr) {
	if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
		name, _ := strconv.Unquote(text.Value)
		names[name] = file
	}
}

func walk(t *testing.T, see func(file string, n ast.Node)) {
	t.Helper()
	root := filepath.Join("..", "server")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(root, path)
		ast.Inspect(f, func(n ast.Node) bool { see(filepath.ToSlash(file), n); return true })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
