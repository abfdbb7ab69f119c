package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/grantd/grantd/server/gateway"
)

// node is a part of the document: an object, a list or a plain value.
type node = map[string]any

func openAPI(t *testing.T) node {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("health", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return doc
}

// at returns the node that the names lead to from n, through references.
func at(t *testing.T, doc node, n any, names ...string) node {
	t.Helper()
	m, ok := n.(node)
	if !ok {
		t.Fatalf("before %q: not an object but %v", names, n)
	}
	if ref, ok := m["$ref"].(string); ok {
		parts := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		for i, p := range parts {
			parts[i] = strings.ReplaceAll(p, "~1", "/")
		}
		m = at(t, doc, doc, parts...)
	}
	if len(names) == 0 {
		return m
	}
	next, ok := m[names[0]]
	if !ok {
		t.Fatalf("there is no %q", names)
	}
	return at(t, doc, next, names[1:]...)
}

// TestOpenAPIHasEveryRoute shows that openapi.yaml has the routes of routes.go, and
// no others.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	doc := openAPI(t)
	var documented, mounted []string
	for path := range at(t, doc, doc, "paths") {
		for method := range at(t, doc, doc, "paths", path) {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	s := &Server{issuer: "https://auth.example.com"}
	s.cfg.Metadata.MCP = true
	for _, r := range s.publicRoutes() {
		mounted = append(mounted, r.method+" "+strings.NewReplacer(":id", "{id}", ":tid", "{tokenId}").Replace(r.path))
	}
	// For every method, of which the document describes one.
	mounted = append(mounted, "GET "+gateway.Path, "GET "+gateway.PathEnvoy+"{policy}/{path}")
	slices.Sort(documented)
	slices.Sort(mounted)
	if diff := cmp.Diff(mounted, documented); diff != "" {
		t.Errorf("routes.go and openapi.yaml differ (-mounted +documented):\n%s", diff)
	}
}

// TestOpenAPIHasEveryMember compares schemas and examples with the structs of
// requests and responses, by the JSON names in their source.
func TestOpenAPIHasEveryMember(t *testing.T) {
	doc := openAPI(t)
	ok200 := []string{"responses", "200", "content", "application/json"}
	token := append([]string{"paths", "/oauth/token", "post"}, ok200...)
	introspect := append([]string{"paths", "/oauth/introspect", "post"}, ok200...)
	metadata := append([]string{"paths", "/.well-known/oauth-authorization-server", "get"}, ok200...)
	const verification, customerToken, jsonAPI = "/customers/{id}/token/verification", "/customers/{id}/token", "application/vnd.api+json"
	const partnerToken = "/partners/token"
	info := append([]string{"paths", "/oauth/token/info", "get"}, ok200...)
	identity := func(name string) node {
		return at(t, doc, doc, "paths", "/identity", "get", "responses", "200", "content", jsonAPI, "examples", name, "value", "data", "attributes")
	}
	requestOf := func(path, name string) node {
		return at(t, doc, doc, "paths", path, "post", "requestBody", "content", jsonAPI, "examples", name, "value", "data", "attributes")
	}
	responseOf := func(path string) node {
		return at(t, doc, doc, "paths", path, "post", "responses", "201", "content", jsonAPI, "example", "data", "attributes")
	}
	for _, c := range []struct {
		schema, folder, name string
		example              node
		whole                bool // the example has every member
	}{
		{"Token", "oauth", "tokenResponse", at(t, doc, doc, append(token, "examples", "client", "value")...), false},
		{"Token", "oauth", "tokenResponse", at(t, doc, doc, append(token, "examples", "exchange", "value")...), true},
		{"Introspection", "oauth", "introspection", at(t, doc, doc, append(introspect, "examples", "active", "value")...), false},
		{"Introspection", "oauth", "introspection", at(t, doc, doc, append(introspect, "examples", "onBehalf", "value")...), false},
		{"Metadata", "oauth", "metadata", at(t, doc, doc, append(metadata, "examples", "usual", "value")...), false},
		{"Metadata", "oauth", "metadata", at(t, doc, doc, append(metadata, "examples", "mcp", "value")...), true},
		{"TokenInfo", "oauth", "info", at(t, doc, doc, append(info, "examples", "client", "value")...), false},
		{"TokenInfo", "oauth", "info", at(t, doc, doc, append(info, "examples", "customer", "value")...), false},
		{"TokenInfo", "oauth", "info", at(t, doc, doc, append(info, "examples", "onBehalf", "value")...), false},
		{"Identity", "oauth", "identity", identity("customer"), false},
		{"Identity", "oauth", "identity", identity("onBehalf"), false},
		{"Introspection", "oauth", "introspection", at(t, doc, doc, append(introspect, "examples", "follow", "value")...), false},
		{"Key", "signing", "jwk", nil, false},
		{"Status", "health", "status", nil, false},
		{"Readiness", "health", "readiness", nil, false},
		{"Capability", "health", "capability", nil, false},
		{"Problem", "health", "Problem", nil, false},
		{"CustomerVerificationRequest", "customers", "Verification", requestOf(verification, "everything"), true},
		{"Phone", "customers", "Phone", nil, false},
		{"CustomerVerification", "customers", "verificationAttributes", responseOf(verification), true},
		{"CustomerTokenRequest", "customers", "TokenRequest", requestOf(customerToken, "everything"), true},
		{"CustomerTokenRequest", "customers", "TokenRequest", requestOf(customerToken, "withCode"), false},
		{"CustomerBearerToken", "customers", "tokenAttributes", responseOf(customerToken), true},
		{"Org", "partners", "Org", nil, false},
		{"Grant", "partners", "grantAttributes", nil, false},
		{"PartnerMeta", "partners", "partnerMeta", at(t, doc, doc, "paths", "/partners/orgs", "get", "responses", "200", "content", jsonAPI, "examples", "withGrants", "value", "meta"), true},
		{"OnBehalfTokenRequest", "partners", "Request", requestOf(partnerToken, "everything"), true},
		{"OnBehalfTokenRequest", "partners", "Request", requestOf(partnerToken, "usual"), false},
		{"OnBehalfToken", "partners", "tokenAttributes", responseOf(partnerToken), true},
		{"Resource", "../store", "Resource", nil, false},
		{"ErrorObject", "web", "errorObject", nil, false},
		{"ErrorSource", "web", "errorSource", nil, false},
		{"ErrorMeta", "web", "errorMeta", nil, false},
	} {
		all, always := members(t, c.folder, c.name)
		schema := slices.Sorted(maps.Keys(at(t, doc, doc, "components", "schemas", c.schema, "properties")))
		if diff := cmp.Diff(all, schema); diff != "" {
			t.Errorf("schema %s and struct %s differ (-struct +schema):\n%s", c.schema, c.name, diff)
		}
		for name := range c.example {
			if !slices.Contains(all, name) {
				t.Errorf("the example of %s has %q, the struct %s has not", c.schema, name, c.name)
			}
		}
		if c.whole && len(c.example) != len(all) {
			t.Errorf("the example of %s has %d members, the struct %s has %d", c.schema, len(c.example), c.name, len(all))
		}
		for _, required := range list(at(t, doc, doc, "components", "schemas", c.schema)["required"]) {
			if !slices.Contains(always, required) {
				t.Errorf("%s: %s is required, but may be left out", c.schema, required)
			}
		}
	}
	inactive := at(t, doc, doc, append(introspect, "examples", "inactive", "value")...)
	if diff := cmp.Diff(node{"active": false}, inactive); diff != "" {
		t.Errorf("the inactive example (-want +got):\n%s", diff)
	}
}

// TestOpenAPIHasEveryParameter compares openapi.yaml with the names in
// oauth/paths.go.
func TestOpenAPIHasEveryParameter(t *testing.T) {
	doc := openAPI(t)
	documented := map[string]bool{}
	for _, schema := range []string{"TokenRequest", "IntrospectionRequest", "RevocationRequest"} {
		for name := range at(t, doc, doc, "components", "schemas", schema, "properties") {
			documented[name] = true
		}
	}
	read := map[string]bool{}
	inspect(t, "oauth", func(n ast.Node) {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "param") || len(v.Values) == 0 {
			return
		}
		if text, ok := v.Values[0].(*ast.BasicLit); ok {
			name, _ := strconv.Unquote(text.Value)
			read[name] = true
		}
	})
	// Assertions are read only to be refused.
	delete(read, "client_assertion")
	delete(read, "client_assertion_type")
	if diff := cmp.Diff(read, documented); diff != "" {
		t.Errorf("parameters in oauth/paths.go and openapi.yaml differ (-read +documented):\n%s", diff)
	}
}

// TestOpenAPIErrors shows that grantd has every error code in the examples.
func TestOpenAPIErrors(t *testing.T) {
	doc := openAPI(t)
	codes := list(at(t, doc, doc, "components", "schemas", "Error", "properties", "error")["enum"])
	known := map[string]bool{}
	inspect(t, "apierr", func(n ast.Node) {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if text, ok := v.Values[0].(*ast.BasicLit); ok {
				name, _ := strconv.Unquote(text.Value)
				known[name] = true
			}
		}
	})
	for _, code := range codes {
		if !known[code] {
			t.Errorf("there is no error %q in server/apierr", code)
		}
	}
	each(doc, func(n node) {
		if code, ok := n["error"].(string); ok && !slices.Contains(codes, code) {
			t.Errorf("an example has the error %q, which the schema lacks", code)
		}
		if ref, ok := n["$ref"].(string); ok {
			at(t, doc, node{"$ref": ref})
		}
	})
}

// featuresOfDocuments are the folders whose endpoints return documents.
var featuresOfDocuments = []string{"apikeys", "customers", "partners", "oauth"}

// TestOpenAPITypes shows that the types of documents are those that the
// features name.
func TestOpenAPITypes(t *testing.T) {
	documented := map[string]bool{}
	each(openAPI(t), func(n node) {
		if properties, ok := n["properties"].(node); ok && properties["attributes"] != nil {
			name, _ := properties["type"].(node)["const"].(string)
			documented[name] = true
		}
	})
	named := map[string]bool{}
	for _, folder := range featuresOfDocuments {
		inspect(t, folder, func(n ast.Node) {
			if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "type") {
				for name := range literals(v) {
					if !strings.HasPrefix(name, "urn:") { // a type of RFC 8693
						named[name] = true
					}
				}
			}
		})
	}
	if diff := cmp.Diff(named, documented); diff != "" {
		t.Errorf("types of documents (-handlers +openapi.yaml):\n%s", diff)
	}
}

// TestOpenAPIErrorDocuments shows that the source has the errors of the examples,
// word for word, and that each example has the status of its response.
func TestOpenAPIErrorDocuments(t *testing.T) {
	doc := openAPI(t)
	known, said := map[string]bool{}, map[string]bool{}
	inspect(t, "apierr", func(n ast.Node) { maps.Copy(known, literals(n)) })
	for _, folder := range append([]string{"web", "../scopes"}, featuresOfDocuments...) {
		inspect(t, folder, func(n ast.Node) { maps.Copy(said, literals(n)) })
	}
	codes := list(at(t, doc, doc, "components", "schemas", "ErrorObject", "properties", "code")["enum"])
	for _, code := range codes {
		if !known[code] {
			t.Errorf("there is no error %q in server/apierr", code)
		}
	}
	seen := 0
	each(doc, func(n node) {
		detail, ok := n["detail"].(string)
		if !ok {
			return
		}
		seen++
		status, _ := n["status"].(string)
		number, _ := strconv.Atoi(status)
		code, _ := n["code"].(string)
		if !slices.Contains(codes, code) || !said[detail] || n["title"] != http.StatusText(number) {
			t.Errorf("the source does not have this error: %v", n)
		}
	})
	for _, route := range []string{"post /customers/{id}/token/verification", "post /customers/{id}/token", "get /identity", "get /partners/orgs", "post /partners/token"} {
		method, path, _ := strings.Cut(route, " ")
		for status := range at(t, doc, doc, "paths", path, method, "responses") {
			each(at(t, doc, doc, "paths", path, method, "responses", status), func(n node) {
				if _, ok := n["detail"]; ok && n["status"] != status {
					t.Errorf("%s: an example under %s has the status %v", path, status, n["status"])
				}
			})
		}
	}
	if seen == 0 {
		t.Error("there is no example of an error")
	}
}

// literals returns the strings in a part of a file.
func literals(n ast.Node) map[string]bool {
	found := map[string]bool{}
	if n == nil {
		return found
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
			s, _ := strconv.Unquote(text.Value)
			found[s] = true
		}
		return true
	})
	return found
}

// members returns the JSON names of a struct, and those that are always present.
func members(t *testing.T, folder, name string) (all, always []string) {
	t.Helper()
	inspect(t, folder, func(n ast.Node) {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			tag, _ := strconv.Unquote(f.Tag.Value)
			name, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			if name == "-" {
				continue
			}
			all = append(all, name)
			if options == "" {
				always = append(always, name)
			}
		}
	})
	if all == nil {
		t.Fatalf("there is no struct %s in server/%s", name, folder)
	}
	slices.Sort(all)
	return all, always
}

func inspect(t *testing.T, folder string, see func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}
	// Test files too: they have the structs of responses that are appended by hand.
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool { see(n); return true })
	}
}

func each(v any, see func(node)) {
	switch v := v.(type) {
	case node:
		see(v)
		for _, child := range v {
			each(child, see)
		}
	case []any:
		for _, child := range v {
			each(child, see)
		}
	}
}

func list(v any) (names []string) {
	items, _ := v.([]any)
	for _, i := range items {
		s, _ := i.(string)
		names = append(names, s)
	}
	return names
}
