package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/imports"
)

var update = flag.Bool("update", false, "write the golden files")

// fakeServer imports customers like the admin API. It refuses telephone
// numbers without a +.
type fakeServer struct {
	stored map[string]string // by customer_id
	calls  []string          // such as "check 100" or "write 50"
	// before is called before each call with its number, starting at 1. If it
	// returns a result or an error, that is the outcome of the call.
	before func(call int) ([]imports.Result, error)
}

func newFakeServer() *fakeServer {
	return &fakeServer{stored: map[string]string{}, before: func(int) ([]imports.Result, error) { return nil, nil }}
}

func (f *fakeServer) call(_ context.Context, part []customers.ImportLine, check bool, _ Notify) (imports.Response, error) {
	verb := "write"
	if check {
		verb = "check"
	}
	f.calls = append(f.calls, fmt.Sprintf("%s %d", verb, len(part)))
	if results, err := f.before(len(f.calls)); results != nil || err != nil {
		return imports.Response{Results: results}, err
	}
	var done imports.Response
	for _, c := range part {
		done.Results = append(done.Results, f.importOne(c, check))
	}
	return done, nil
}

func (f *fakeServer) importOne(c customers.ImportLine, check bool) imports.Result {
	if !strings.HasPrefix(c.Phone, "+") {
		return imports.Result{Result: imports.Refused, Error: "must be a telephone number", Field: "phone"}
	}
	b, _ := json.Marshal(c.Spec)
	old, exists := f.stored[c.CustomerID]
	if !check {
		f.stored[c.CustomerID] = string(b)
	}
	switch {
	case !exists:
		return imports.Result{Result: imports.Created}
	case old != string(b):
		return imports.Result{Result: imports.Updated}
	}
	return imports.Result{Result: imports.Unchanged}
}

// outcome is what an import returned and printed.
type outcome struct {
	tally   string // its Summary; "" if it is nil
	err     string
	printed string // lines, and what was drawn on the terminal
}

var wholeNumber = regexp.MustCompile(`[0-9]{7}`)

// run imports text, and fails if a telephone number is printed.
func (f *fakeServer) run(t *testing.T, text string) outcome {
	t.Helper()
	return f.runSource(t, textSource(text), false)
}

func (f *fakeServer) runSource(t *testing.T, source Source, onTerminal bool) outcome {
	t.Helper()
	f.calls = nil
	var printed bytes.Buffer
	i := Importer[customers.ImportLine]{Kind: Customers(), Source: source, Call: f.call, Notify: func(format string, args ...any) { fmt.Fprintf(&printed, format+"\n", args...) }}
	if onTerminal {
		i.Terminal = &printed
	}
	tally, err := i.Run(t.Context())
	got := outcome{printed: printed.String()}
	if tally != nil {
		got.tally = tally.Summary()
	}
	if err != nil {
		got.err = err.Error()
	}
	if n := wholeNumber.FindString(got.err + got.printed); n != "" {
		t.Errorf("a telephone number is printed: %s", n)
	}
	return got
}

func (o outcome) is(t *testing.T, want outcome) {
	t.Helper()
	if diff := cmp.Diff(want, o, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

func (f *fakeServer) wasCalled(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(f.calls, want) {
		t.Errorf("calls %q, want %q", f.calls, want)
	}
}

// textSource returns a source with the name f.
func textSource(text string) Source {
	return Source{"f", func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// customerLines returns n good lines.
func customerLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"customer_id":"c%d","org_id":"o","type":"individual","phone":"+1555%07d"}`+"\n", i, i)
	}
	return b.String()
}

// compareGolden compares with a file of testdata.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; if this is meant, go test ./server/cli/importer -update writes it):\n%s", file, diff)
	}
}
