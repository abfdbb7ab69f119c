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

	"github.com/grantd/grantd/store"
)

// logged returns the names that appear in the log and the audit, with the file of
// server that they are from.
func logged(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{} // name → file
	verbs := map[string]string{} // type of a record, or folder, and verb of an action → file
	kinds := map[string]string{} // folder and type of a record → its kind
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
			if typ, kind := kindOf(n); kind != "" {
				kinds[path.Dir(file)+" "+typ] = kind
			}
			if typ := generic(n, "Step"); typ != "" {
				noteVerb(n, file, typ, verbs)
			} else if s, ok := n.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "Change" {
				noteVerb(n, file, path.Dir(file), verbs)
			}
		case *ast.KeyValueExpr: // Action: "leak.report"
			if text, ok := n.Value.(*ast.BasicLit); ok && strings.Contains(text.Value, ".") {
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Action" {
					note(names, file, text)
				}
			}
		case *ast.ValueSpec: // ActionIssue = "token.issue", one of several in a line; HiddenUse Hidden = "…"
			for i, value := range n.Values {
				if typ, ok := n.Type.(*ast.Ident); ok && (typ.Name == "Hidden" || typ.Name == "Refused") || strings.HasPrefix(strings.ToLower(n.Names[i].Name), "action") {
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
		typ, verb, _ := strings.Cut(verb, " ")
		for of, kind := range kinds {
			folder, record, _ := strings.Cut(of, " ")
			if typ == "R" || typ == "registry" || typ == record || typ == folder { // the code is shared by all kinds
				names[kind+"."+verb] = file
			}
		}
	}
	// Grants are only given and withdrawn.
	for _, never := range []string{"grant.deactivate", "grant.reactivate", "grant.void_tokens"} {
		delete(names, never)
	}
	return names
}

// kindOf returns the record type of a literal of registry.Kind, and the name of
// the kind, such as client for store.ClientKind. An action is this name and a
// verb: client.create.
func kindOf(n *ast.CompositeLit) (typ, name string) {
	typ = generic(n, "Kind")
	if typ == "" {
		return "", ""
	}
	for _, e := range n.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Kind" {
			name = recordNames[pair.Value.(*ast.SelectorExpr).Sel.Name]
		}
	}
	return typ, name
}

var recordNames = map[string]string{
	"ClientKind": store.ClientKind.Name, "OrgKind": store.OrgKind.Name, "CustomerKind": store.CustomerKind.Name,
	"PartnerKind": store.PartnerKind.Name, "GrantKind": store.GrantKind.Name,
}

// noteVerb adds the Action of a literal of registry.Step to verbs.
func noteVerb(n *ast.CompositeLit, file, typ string, verbs map[string]string) {
	for _, e := range n.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Action" {
			action := map[string]string{}
			note(action, file, pair.Value)
			for a := range action {
				if !strings.Contains(a, ".") {
					verbs[typ+" "+a] = file
				}
			}
		}
	}
}

// generic returns the type argument of a literal of the named generic type, such
// as Client for registry.Kind[store.Client], or "" for another literal.
func generic(n *ast.CompositeLit, name string) string {
	g, ok := n.Type.(*ast.IndexExpr)
	if !ok {
		return ""
	}
	of := ""
	switch x := g.X.(type) {
	case *ast.SelectorExpr:
		of = x.Sel.Name
	case *ast.Ident:
		of = x.Name
	}
	if of != name {
		return ""
	}
	switch arg := g.Index.(type) {
	case *ast.SelectorExpr:
		return arg.Sel.Name
	case *ast.Ident:
		return arg.Name
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
