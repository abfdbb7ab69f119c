// Package deps checks the repository as a whole: imports follow the architecture,
// words are plain English, and references exist.
package deps

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/grantd/grantd"

// layer is a level: a package may import packages of lower levels.
type layer int

const (
	bottom   layer = iota // vocabulary: imports no other package of this repository
	parts                 // parts of one store, below it: import only package store
	backends              // the stores: import only package store and their parts
	shared                // may import one another; go list finds cycles
	features              // must not import one another
	wiring
	commands
	program
	testing_ // may import anything; only tests import them
)

// layers lists every package of this repository. Add new ones here.
var layers = map[string]layer{
	"config": bottom, "scopes": bottom, "scopes/endpoints": bottom, "store": bottom,

	"store/redisstore/wire": parts,
	"store/embedded":        backends, "store/redisstore": backends,

	"server/apierr": shared, "server/logbuf": shared, "server/coalesce": shared, "server/web": shared, "server/feed": shared, "server/audit": shared,
	"server/lastuse": shared, "server/auth": shared, "server/tokens": shared, "server/admin": shared,
	"server/health": shared, "server/metrics": shared, "server/ratelimit": shared, "server/tlsfiles": shared, "server/version": shared,
	"server/phone": shared, "server/phonekeys": shared, "server/conns": shared, "server/senders": shared, "server/registry": shared, "server/rollback": shared, "server/credential": shared, "server/field": shared, "server/trouble": shared, "server/backup": shared, "server/imports": shared, "server/secretwatch": shared, "server/signedpost": shared, "server/traces": shared, "server/refusal": shared, "server/reqlog": shared, "server/voidkeys": shared, "server/unixsocket": shared, "server/extauthz": shared,
	"scopes/guard": shared, "scopes/guard/guardgin": shared, // see TestGuardIsLight

	"server/oauth": features, "server/clients": features, "server/tokenadmin": features, "server/doctor": features,
	"server/orgs": features, "server/apikeys": features, "server/customers": features, "server/partners": features, "server/notices": features, "server/signing": features, "server/stream": features, "server/gateway": features,

	"server":              wiring,
	"server/edge":         wiring, // another process, which shares features with the server
	"server/cli/importer": wiring, // below the commands, which import it
	"server/cli":          commands,
	"":                    program,
}

// floors are the names of the layers in ARCHITECTURE.md, from bottom to program.
var floors = []string{"vocabulary", "parts", "stores", "shared", "features", "wiring", "commands", "program"}

// floorRow matches a row of the table of floors: its name and its packages.
var floorRow = regexp.MustCompile("(?m)^\\| (\\w+) \\| (`[^|]+`) \\| [^|]+ \\|$")

// TestArchitecture checks that the table of floors in ARCHITECTURE.md has every
// package on its floor.
func TestArchitecture(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range floorRow.FindAllStringSubmatch(string(page), -1) {
		for name := range strings.SplitSeq(row[2], ", ") {
			documented[strings.TrimSuffix(strings.Trim(name, "`"), "main.go")] = row[1]
		}
	}
	wanted := map[string]string{}
	for name, l := range layers {
		wanted[name] = floors[l]
	}
	if d := cmp.Diff(wanted, documented); d != "" {
		t.Errorf("the table of floors in ARCHITECTURE.md differs from layers (-layers +page):\n%s", d)
	}
}

// only lists external packages and the packages that may import them.
var only = []struct {
	what string // this package and its subpackages
	who  []string
	why  string
}{
	{"github.com/go-oauth2/oauth2/v4/server", nil, "its HTTP layer accepts what RFC 6749 refuses (several authentication methods, credentials in the URL, an empty secret): use server/oauth"},
	{"github.com/go-oauth2/oauth2/v4/store", nil, "it keeps tokens in plain text: use store/embedded or store/redisstore"},
	{"github.com/go-oauth2", []string{"server/tokens"}, "its Manager mints and nothing else: one package handles its traps"},
	{"github.com/redis/go-redis", []string{"store/redisstore", "store/redisstore/wire"}, "its default retries repeat writes: store/redisstore/wire sends everything once"},
	{"go.opentelemetry.io", []string{"server/traces"}, "one package decides what a span may hold"},
	{"go.etcd.io/bbolt", []string{"store/embedded"}, "one package owns the database file"},
	{"github.com/spf13/viper", []string{"config"}, "it reads 3600 as 3.6 µs and lets a variable clear a section: one package handles its traps"},
	{"github.com/twilio/twilio-go", nil, "it has 27 MB of source, of which grantd needs two requests: server/senders makes them"},
	{"github.com/nyaruka/phonenumbers", []string{"server/phone"}, "it reports test numbers as invalid: one package decides which numbers are accepted"},
	{"github.com/spf13/cobra", []string{"server/cli"}, "commands belong in server/cli"},
	{"os/signal", []string{""}, "only main touches signals and exit codes"},
}

// pkg is the output of go list for a package.
type pkg struct {
	ImportPath, Dir           string
	GoFiles                   []string
	Imports                   []string
	TestImports, XTestImports []string
	Error                     *struct{ Err string }
}

func TestArrows(t *testing.T) {
	for _, p := range list(t) {
		for _, fault := range check(p.ImportPath, p.Imports, append(p.TestImports, p.XTestImports...)) {
			t.Error(fault)
		}
		for _, name := range p.GoFiles {
			for _, fault := range checkFile(t, p, name) {
				t.Errorf("%s/%s", short(p.ImportPath), fault)
			}
		}
	}
}

// check returns what is wrong with the imports of one package and its tests.
func check(path string, imports, testImports []string) []string {
	var faults []string
	me := short(path)
	for _, imported := range imports {
		if why := arrow(me, imported); why != "" {
			faults = append(faults, fmt.Sprintf("%s imports %s: %s", name(me), name(short(imported)), why))
		}
	}
	for _, imported := range slices.Concat(imports, testImports) {
		if why := ban(me, imported); why != "" {
			faults = append(faults, fmt.Sprintf("%s imports %s: %s", name(me), imported, why))
		}
	}
	return faults
}

func arrow(me, imported string) string {
	if imported != module && !strings.HasPrefix(imported, module+"/") {
		return ""
	}
	other := short(imported)
	from, known := layerOf(me)
	if !known {
		return "this package is in no layer: add it to layers in tests/deps and to the table in ARCHITECTURE.md"
	}
	to, known := layerOf(other)
	switch {
	case from == testing_:
		return ""
	case !known:
		return "that package is in no layer: add it to layers in tests/deps"
	case to == testing_:
		return "that package is for tests"
	case from == bottom && other != "scopes" && other != "scopes/endpoints":
		return "config, scopes and store are the vocabulary: of this repository they may import only scopes and scopes/endpoints"
	case from == bottom:
		return ""
	case from == parts && other != "store", from == backends && other != "store" && to != parts:
		return "a store may import only package store and its parts from this repository"
	case to == parts && path.Dir(other) != me:
		return "a part of a store is only for that store"
	case to == backends && me != "server":
		return "only server chooses a store: use the interfaces of package store"
	case from == features && to == features:
		return "features must not import one another: declare the interface that is needed, and server.New passes the implementation"
	case from == shared && to == shared:
		return ""
	case from <= to:
		return "imports must go in this direction only: main → server/cli → server → features → shared → store, scopes, config"
	}
	return ""
}

func ban(me, imported string) string {
	if l, _ := layerOf(me); l == testing_ && !strings.Contains(imported, "oauth2/v4") {
		return "" // tests may use Redis and the other libraries directly
	}
	for _, o := range only {
		if imported != o.what && !strings.HasPrefix(imported, o.what+"/") {
			continue
		}
		if slices.Contains(o.who, me) {
			return ""
		}
		if len(o.who) == 0 {
			return "nobody may: " + o.why
		}
		return "only " + name(o.who[0]) + " may: " + o.why
	}
	return ""
}

// checkFile checks what go list does not show: service.go does not import HTTP
// packages, and features use nothing of config.
func checkFile(t *testing.T, p pkg, file string) (faults []string) {
	me := short(p.ImportPath)
	if l, _ := layerOf(me); l != features {
		return nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if file == "service.go" {
		for _, i := range f.Imports {
			if path := strings.Trim(i.Path.Value, `"`); path == "net/http" || strings.HasPrefix(path, "github.com/gin-gonic/") {
				faults = append(faults, fmt.Sprintf("%s imports %s: move HTTP to handler.go", file, path))
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "config" && x.Obj == nil {
			faults = append(faults, fmt.Sprintf("%s uses config.%s: pass the setting to the feature; server/field reads durations", file, s.Sel.Name))
		}
		return true
	})
	return faults
}

func layerOf(me string) (layer, bool) {
	if strings.HasPrefix(me, "tests/") || me == "tests" || strings.HasPrefix(me, "store/storetest") {
		return testing_, true
	}
	l, ok := layers[me]
	return l, ok
}

func short(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

func name(me string) string {
	if me == "" {
		return "main"
	}
	return me
}

func list(t *testing.T) (all []pkg) {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports,Error", "-tags", "nomsgpack", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Error != nil {
			t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
		}
		all = append(all, p)
	}
}

// TestRules shows that each rule works.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule, from, to string
		wrong          string // part of the message; "" for none
	}{
		{"down is fine", "server", "server/oauth", ""},
		{"over a layer too", "server/cli", "store", ""},
		{"shared among themselves", "server/tokens", "server/feed", ""},
		{"main to commands", "", "server/cli", ""},
		{"tests anything", "tests/harness", "server", ""},
		{"server chooses the store", "server", "store/redisstore", ""},
		{"up", "server/web", "server/oauth", "only: main"},
		{"up to the wiring", "server/clients", "server", "only: main"},
		{"feature to feature", "server/oauth", "server/clients", "must not import one another"},
		{"vocabulary", "store", "config", "may import only scopes"},
		{"within the vocabulary", "scopes", "scopes/endpoints", ""},
		{"store implementation", "store/embedded", "scopes", "may import only package store"},
		{"part of a store", "store/redisstore", "store/redisstore/wire", ""},
		{"part of another store", "store/embedded", "store/redisstore/wire", "only for that store"},
		{"part of a store, past it", "server", "store/redisstore/wire", "only for that store"},
		{"part to its store", "store/redisstore/wire", "store/redisstore", "may import only package store"},
		{"someone else's store", "server/tokens", "store/embedded", "only server chooses"},
		{"test code", "server", "tests/harness", "for tests"},
		{"a new package", "server/new", "store", "in no layer"},
	} {
		faults := check(module+slash(c.from), []string{module + slash(c.to)}, nil)
		expect(t, c.rule, faults, c.wrong)
	}
	for _, c := range []struct{ rule, from, to, wrong string }{
		{"Manager in tokens", "server/tokens", "github.com/go-oauth2/oauth2/v4/manage", ""},
		{"Manager elsewhere", "server/oauth", "github.com/go-oauth2/oauth2/v4", "only server/tokens"},
		{"its server in tokens", "server/tokens", "github.com/go-oauth2/oauth2/v4/server", "nobody may"},
		{"its server in tests", "tests/protocol", "github.com/go-oauth2/oauth2/v4/server", "nobody may"},
		{"its stores", "store/redisstore", "github.com/go-oauth2/oauth2/v4/store", "nobody may"},
		{"go-redis elsewhere", "server/feed", "github.com/redis/go-redis/v9", "only store/redisstore"},
		{"go-redis in wire", "store/redisstore/wire", "github.com/redis/go-redis/v9", ""},
		{"viper elsewhere", "server/cli", "github.com/spf13/viper", "only config"},
		{"Twilio's library", "server/senders", "github.com/twilio/twilio-go/client", "nobody may"},
		{"numbers in phone", "server/phone", "github.com/nyaruka/phonenumbers", ""},
		{"numbers elsewhere", "server/customers", "github.com/nyaruka/phonenumbers", "only server/phone"},
		{"signals elsewhere", "server", "os/signal", "only main"},
	} {
		expect(t, c.rule, check(module+slash(c.from), nil, []string{c.to}), c.wrong)
	}
}

func slash(s string) string {
	if s == "" {
		return ""
	}
	return "/" + s
}

func expect(t *testing.T, rule string, faults []string, wrong string) {
	t.Helper()
	got := strings.Join(faults, "\n")
	if wrong == "" && got != "" || wrong != "" && !strings.Contains(got, wrong) {
		t.Errorf("%s: got %q, want %q", rule, got, wrong)
	}
}
