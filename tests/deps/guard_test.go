package deps

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// light lists the packages that the programs of others import, and all that each of
// them may bring into such a program besides the standard library: modules, and
// packages of this repository.
var light = map[string][]string{
	"scopes/endpoints": {},
	"scopes/guard":     {"github.com/maypok86/otter/v2", module + "/scopes/endpoints"},
}

// TestGuardIsLight: an API that imports scopes/guard gets a cache with it, and nothing
// else. guardgin gets no more than that and gin.
func TestGuardIsLight(t *testing.T) {
	for name, allowed := range light {
		for dependency := range dependencies(t, name) {
			if !isAllowed(dependency, append(allowed, module+"/"+name)) {
				t.Errorf("%s depends on %s: programs of others import it, and should get no more than they need; allowed: %v", name, dependency, allowed)
			}
		}
	}
	gin := dependencies(t, "github.com/gin-gonic/gin")
	for dependency := range dependencies(t, "scopes/guard/guardgin") {
		mine := append([]string{module + "/scopes/guard"}, light["scopes/guard"]...)
		if !gin[dependency] && !isAllowed(dependency, mine) {
			t.Errorf("scopes/guard/guardgin depends on %s: it may bring only gin, and what scopes/guard brings", dependency)
		}
	}
}

// isAllowed reports whether the package is one of the modules or packages, or below
// one of them.
func isAllowed(dependency string, allowed []string) bool {
	for _, a := range allowed {
		if dependency == a || strings.HasPrefix(dependency, a+"/") {
			return true
		}
	}
	return false
}

// dependencies returns all packages outside the standard library that a package needs,
// with itself. name is a path in this repository, or a whole import path.
func dependencies(t *testing.T, name string) map[string]bool {
	t.Helper()
	if !strings.Contains(name, ".") {
		name = module + "/" + name
	}
	cmd := exec.Command("go", "list", "-deps", "-tags", "nomsgpack", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", name)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", name, err)
	}
	all := map[string]bool{}
	for dependency := range strings.FieldsSeq(string(out)) {
		all[dependency] = true
	}
	if len(all) == 0 {
		t.Fatalf("go list %s shows nothing", name)
	}
	return all
}
