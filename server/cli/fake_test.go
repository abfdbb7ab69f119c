package cli

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// result is the outcome of one command line.
type result struct {
	code     int
	out, err string
}

// grantd runs a command line with the input and without environment variables.
func grantd(t *testing.T, input string, args ...string) result {
	t.Helper()
	return grantdIn(t, nil, input, args...)
}

func grantdIn(t *testing.T, env []string, input string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := Run(t.Context(), args, Streams{
		In: strings.NewReader(input), Out: &out, Err: &errs, Env: func() []string { return env },
	})
	return result{code, out.String(), errs.String()}
}

func (r result) is(t *testing.T, want result) {
	t.Helper()
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

// fakeAdmin is an admin API on a unix socket. It gives fixed replies and records
// the requests.
type fakeAdmin struct {
	socket  string
	replies map[string]reply // "METHOD /path?query" below the prefix
	asked   []string         // "METHOD /path?query [If-Match] [body]"
}

type reply struct {
	status int
	body   string
}

func newFakeAdmin(t *testing.T, replies map[string]reply) *fakeAdmin {
	t.Helper()
	f := &fakeAdmin{replies: replies}
	f.socket = onSocket(t, f)
	return f
}

// onSocket serves h on a unix socket.
func onSocket(t *testing.T, h http.Handler) (socket string) {
	t.Helper()
	socket = filepath.Join(shortDir(t), "a.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return socket
}

// shortDir returns a folder with a name short enough for a socket, unlike
// t.TempDir.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cli")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (f *fakeAdmin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	key := r.Method + " " + strings.TrimPrefix(r.RequestURI, "/admin/v1")
	asked := key
	for _, more := range []string{r.Header.Get("If-Match"), r.Header.Get("X-Request-Id"), string(body)} {
		if more != "" {
			asked += " " + more
		}
	}
	f.asked = append(f.asked, asked)
	if len(body) > 0 && r.Header.Get("Content-Type") != "application/json" {
		f.asked = append(f.asked, "not JSON")
	}
	a, ok := f.replies[key]
	if !ok {
		a = reply{http.StatusNotFound, `{"error":"not_found","error_description":"not in this test"}`}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// run runs a command against the fake.
func (f *fakeAdmin) run(t *testing.T, input string, args ...string) result {
	t.Helper()
	f.asked = nil
	return grantd(t, input, append(args, "--socket", f.socket)...)
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
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
		t.Errorf("%s (-want +got; if this is meant, go test ./server/cli -update writes it):\n%s", file, diff)
	}
}

// canceledContext returns a context that has ended.
func canceledContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
