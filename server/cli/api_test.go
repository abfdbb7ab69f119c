package cli

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

func TestServerErrors(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
		says  string
	}{
		{"with a field", reply{400, `{"error":"invalid_request","error_description":"name has at most 200 characters","field":"name"}`}, "name has at most 200 characters (name)"},
		{"without a field", reply{404, `{"error":"not_found","error_description":"there is no client with this id"}`}, "there is no client with this id"},
		{"without a description", reply{503, `{"error":"temporarily_unavailable"}`}, "temporarily_unavailable"},
		{"that a terminal would obey", reply{400, `{"error":"x","error_description":"a\u001b[2J\nb"}`}, `a\x1b[2J\nb`},
		{"of another program", reply{500, `oops`}, "SOCKET returned status 500 without a grantd error: is it the admin socket of a grantd?"},
		{"redirect", reply{307, ``}, "SOCKET returned status 307 without a grantd error: is it the admin socket of a grantd?"},
		{"no JSON", reply{200, `oops`}, "cannot read the response of the server (is one of the two an older version?): invalid character 'o' looking for beginning of value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeAdmin(t, map[string]reply{"GET /clients/a": tt.reply})
			says := strings.ReplaceAll(tt.says, "SOCKET", f.socket)
			f.run(t, "", "client", "show", "a").is(t, result{code: exitOf(tt.reply.status), err: "grantd: " + says + "\n"})
		})
	}
}

// exitOf returns the exit code for a status: a value that the server refuses is a
// wrong value.
func exitOf(status int) int {
	if status == http.StatusBadRequest {
		return exitUsage
	}
	return exitFailed
}

func TestNoServer(t *testing.T) {
	dir := shortDir(t)
	absent, left, file, below := filepath.Join(dir, "absent.sock"), filepath.Join(dir, "left.sock"), filepath.Join(dir, "file"), filepath.Join(dir, "file", "x.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, socket := range []string{absent, left, file, below} {
		grantd(t, "", "client", "list", "--socket", socket).is(t, result{code: exitFailed,
			err: "grantd: no grantd is listening on " + socket + ": start one with 'grantd serve', or set its socket with --socket, or with --config if admin.socket of its configuration is another one\n"})
	}
}

// TestNoPermission makes the error itself, because root may connect anywhere.
func TestNoPermission(t *testing.T) {
	err := socketAPI("/x.sock").unreachable(call{method: http.MethodGet}, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)})
	got := (&app{}).failureOf(t.Context(), &cobra.Command{}, err)
	if want := "no permission to use /x.sock: run this command as root or as the user that grantd runs as; others need --server and a token"; got.Error() != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLostResponse: a change whose response is lost may have been made.
func TestLostResponse(t *testing.T) {
	socket := filepath.Join(shortDir(t), "a.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	got := grantd(t, "", "client", "void-tokens", "a", "--socket", socket)
	if got.code != exitFailed || !strings.HasPrefix(got.err, "grantd: no response from "+socket) || !strings.HasSuffix(got.err, "; the change may have been made, so check before you try again\n") {
		t.Errorf("%+v", got)
	}
}

func TestPages(t *testing.T) {
	f := newFakeAdmin(t, map[string]reply{
		"GET /clients?limit=500":             {200, `{"clients":[{"client_id":"a"},{"client_id":"b"}],"next_cursor":"Yg"}`},
		"GET /clients?cursor=Yg&limit=500":   {200, `{"clients":[{"client_id":"c","more":1}],"next_cursor":"Yw"}`},
		"GET /clients?cursor=Yw&limit=500":   {200, `{"clients":[]}`},
		"GET /audit?limit=3":                 {200, `{"events":[{"id":"9"},{"id":"8"}],"next_cursor":"OA"}`},
		"GET /audit?cursor=OA&limit=1":       {200, `{"events":[{"id":"7"},{"id":"6"}],"next_cursor":"Ng"}`},
		"GET /audit?limit=500":               {200, `{"events":[{"id":"9"}],"next_cursor":"OQ"}`},
		"GET /audit?cursor=OQ&limit=500":     {200, `{"events":[{"id":"9"}],"next_cursor":"OQ"}`},
		"GET /clients/..%2F%3Fa%20b/secrets": {200, `{"secrets":[]}`},
	})
	f.run(t, "", "client", "list", "--output", "json").is(t, result{
		out: "{\n  \"clients\": [\n    {\n      \"client_id\": \"a\"\n    },\n    {\n      \"client_id\": \"b\"\n    },\n    {\n      \"client_id\": \"c\",\n      \"more\": 1\n    }\n  ]\n}\n",
	})
	got := f.run(t, "", "audit", "--limit", "3", "--output", "json")
	if n := strings.Count(got.out, `"id"`); n != 3 || got.code != exitDone {
		t.Errorf("%d events of 3: %+v", n, got)
	}
	f.run(t, "", "audit", "--limit", "600").is(t, result{code: exitFailed,
		err: "grantd: the server's list never ends: it returned the same page twice\n"})
	// Input of the operator remains one segment of the path, also where it is not
	// refused before.
	if _, err := socketAPI(f.socket).do(t.Context(), call{method: http.MethodGet, path: path("clients", "../?a b", "secrets")}); err != nil {
		t.Error(err)
	}
}
