package protocol_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/parallel"
)

// update rewrites the golden files: go test ./tests/protocol -update
var update = flag.Bool("update", false, "rewrite the golden files of this package")

const goldenErrors = "testdata/errors.golden"

// golden holds every error that a row may get: status and whole body.
var golden goldenLines

type goldenLines struct {
	mu   sync.Mutex
	want map[string]bool
	seen map[string]bool
}

// check fails the test if the golden file does not hold the error r.
func (g *goldenLines) check(t *testing.T, r harness.Response) {
	t.Helper()
	line := fmt.Sprintf("%d %s", r.Status, r.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen[line] = true
	if !*update && !g.want[line] {
		t.Errorf("this error is not in %s (-update adds it):\n%s", goldenErrors, line)
	}
}

// finish writes the file if -update is set. Otherwise it returns an error if no
// row got one of the file's lines.
func (g *goldenLines) finish() error {
	seen := make([]string, 0, len(g.seen))
	for line := range g.seen {
		seen = append(seen, line)
	}
	slices.Sort(seen)
	if *update {
		return os.WriteFile(goldenErrors, []byte(strings.Join(seen, "\n")+"\n"), 0o644)
	}
	for line := range g.want {
		if !g.seen[line] {
			return fmt.Errorf("%s: no row gets this error any more (-update removes it):\n%s", goldenErrors, line)
		}
	}
	return nil
}

func TestMain(m *testing.M) {
	golden = goldenLines{want: map[string]bool{}, seen: map[string]bool{}}
	if b, err := os.ReadFile(goldenErrors); err == nil {
		for line := range strings.Lines(string(b)) {
			golden.want[strings.TrimSuffix(line, "\n")] = true
		}
	}
	code := parallel.Main(m, 8)
	whole := true // if only some tests run, unused lines prove nothing
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		whole = whole && flag.Lookup(name).Value.String() == ""
	}
	if code == 0 && whole {
		if err := golden.finish(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

// checkGolden compares text with the golden file at path.
func checkGolden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := readFile(t, path); want != text {
		t.Errorf("%s differs (-update rewrites it):\n%s", path, text)
	}
}
