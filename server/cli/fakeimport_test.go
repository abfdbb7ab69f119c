package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"

	"github.com/grantd/grantd/server/admin"
	"github.com/grantd/grantd/server/cli/importer"
	"github.com/grantd/grantd/server/customers"
	"github.com/grantd/grantd/server/imports"
)

// fakeImport is the import endpoint of an admin API. It stores the customers,
// and refuses numbers without a +.
type fakeImport struct {
	t      *testing.T
	mu     sync.Mutex
	stored map[string]string // by customer_id
	calls  []string          // such as "check 100" or "write 50"
	// before is called before each call with its number, starting at 1. If it
	// returns a status, that is the reply; with dead there is none.
	before func(call int) reply
}

// dead is the status for a server that closes the connection.
const dead = -1

func newFakeImport(t *testing.T) *fakeImport {
	return &fakeImport{t: t, stored: map[string]string{}, before: func(int) reply { return reply{} }}
}

func (f *fakeImport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if len(body) > 1<<20 {
		f.t.Errorf("a body of %d bytes, the server accepts 1 MiB", len(body))
	}
	var asked customers.Import
	if err := json.Unmarshal(body, &asked); err != nil || r.Method+" "+r.RequestURI != "POST "+admin.Prefix+"/customers/import" {
		f.t.Errorf("asked %s %s: %v", r.Method, r.RequestURI, err)
	}
	if n := len(asked.Customers); n < 1 || n > imports.Max {
		f.t.Errorf("%d customers in a call", n)
	}
	verb := "write"
	if asked.Check {
		verb = "check"
	}
	f.calls = append(f.calls, fmt.Sprintf("%s %d", verb, len(asked.Customers)))
	if a := f.before(len(f.calls)); a.status == dead {
		panic(http.ErrAbortHandler)
	} else if a.status != 0 {
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
		return
	}
	var done imports.Response
	for _, c := range asked.Customers {
		done.Results = append(done.Results, f.one(c, asked.Check))
	}
	_ = json.NewEncoder(w).Encode(done)
}

func (f *fakeImport) one(c customers.ImportLine, check bool) imports.Result {
	if !strings.HasPrefix(c.Phone, "+") {
		return imports.Result{Result: imports.Refused, Error: "must be a telephone number", Field: "phone"}
	}
	b, _ := json.Marshal(c.Spec)
	had, there := f.stored[c.CustomerID]
	if !check {
		f.stored[c.CustomerID] = string(b)
	}
	switch {
	case !there:
		return imports.Result{Result: imports.Created}
	case had != string(b):
		return imports.Result{Result: imports.Updated}
	}
	return imports.Result{Result: imports.Unchanged}
}

// progressLine matches a line of progress. Over a socket, a slow machine may
// print some. In a synctest bubble their times are known.
var progressLine = regexp.MustCompile(`(?m)^grantd: \d+( of \d+)? customers (checked|written)\n`)

// run imports over a socket, as the program does.
func (f *fakeImport) run(t *testing.T, input string, args ...string) result {
	t.Helper()
	f.calls = nil
	socket := onSocket(t, f)
	got := grantd(t, input, append([]string{"customer", "import", "--socket", socket}, args...)...)
	got.err = progressLine.ReplaceAllString(strings.ReplaceAll(got.err, socket, "SOCKET"), "")
	return discreet(t, got)
}

// direct imports without a network, so that it can run in a synctest bubble,
// where waiting takes no time.
func (f *fakeImport) direct(ctx context.Context, source importer.Source, onTerminal bool) result {
	f.calls = nil
	var out, errs bytes.Buffer
	a := &app{out: &sticky{w: &out}, err: &errs, output: outputTable}
	server := &api{base: "http://grantd" + admin.Prefix, where: "SOCKET", http: &http.Client{Transport: inProcess{f}}}
	run := importer.Importer[customers.ImportLine]{Kind: importer.Customers(), Source: source, Call: server.importCustomers()}
	if onTerminal {
		run.Terminal = &errs
	}
	err := doImport(ctx, a, run)
	return discreet(f.t, result{a.exit(ctx, &cobra.Command{}, err), out.String(), errs.String()})
}

type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			err = io.ErrUnexpectedEOF
		}
		if r.Context().Err() != nil {
			resp, err = nil, r.Context().Err()
		}
	}()
	w := httptest.NewRecorder()
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), r.Body)
	in.RequestURI = r.URL.RequestURI()
	p.ServeHTTP(w, in)
	return w.Result(), nil
}

var wholeNumber = regexp.MustCompile(`[0-9]{7}`)

// discreet fails if a telephone number is printed, and returns r.
func discreet(t *testing.T, r result) result {
	t.Helper()
	if n := wholeNumber.FindString(r.out + r.err); n != "" {
		t.Errorf("a telephone number is printed: %s", n)
	}
	return r
}

// customerLines returns n good lines.
func customerLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"customer_id":"c%d","org_id":"o","type":"individual","phone":"+1555%07d"}`+"\n", i, i)
	}
	return b.String()
}

// importFile writes text to the file f in a new working folder.
func importFile(t *testing.T, text string) {
	t.Helper()
	t.Chdir(shortDir(t))
	rewrite(t, "f", text)
}

func rewrite(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// textSource returns a source with the name f.
func textSource(text string) importer.Source {
	return importer.Source{Name: "f", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// made returns the calls so far. It locks, because a handler may still run after
// its caller gave up.
func (f *fakeImport) made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fakeImport) called(t *testing.T, want ...string) {
	t.Helper()
	if made := f.made(); !slices.Equal(made, want) {
		t.Errorf("calls %q, want %q", made, want)
	}
}
