package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// running is a command that runs a server in this process.
type running struct {
	printed []string // up to the ready line, without it
	ready   string
	errs    *bytes.Buffer // readable after stop
	stop    func() int
}

func startServing(t *testing.T, env []string, args ...string) running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	out, w := io.Pipe()
	errs := &bytes.Buffer{}
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, args, Streams{Out: w, Err: errs, Env: func() []string { return env }})
		w.Close()
	}()
	r := running{errs: errs, stop: sync.OnceValue(func() int { cancel(); return <-code })}
	t.Cleanup(cancel)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ready ") {
			r.ready = lines.Text()
			return r
		}
		r.printed = append(r.printed, lines.Text())
	}
	t.Fatalf("never ready, exit code %d: %s", r.stop(), errs)
	return r
}

func TestServe(t *testing.T) {
	dir := shortDir(t)
	socket := filepath.Join(dir, "a.sock")
	file := write(t, "public: {listen: 127.0.0.1:0}\nmetrics: {listen: \"\"}\nadmin: {socket: "+socket+"}\nstore: {embedded: {path: "+dir+"}}\n")
	s := startServing(t, []string{"GRANTD_FROB=1"}, "serve", "--config", file)
	if !strings.HasPrefix(s.ready, "ready public=http://127.0.0.1:") || !strings.HasSuffix(s.ready, " admin="+socket) || len(s.printed) > 0 {
		t.Errorf("printed %q, %q", s.printed, s.ready)
	}
	if got := grantd(t, "", "client", "create", "--id", "a", "--scope", "users:read", "--config", file); got.code != exitDone {
		t.Errorf("create: %+v", got)
	}
	if got := grantd(t, "", "client", "list", "--socket", socket); got.code != exitDone || !strings.Contains(got.out, "\na ") {
		t.Errorf("list: %+v", got)
	}
	second := grantd(t, "", "serve", "--config", file)
	if second.code != exitFailed || second.out != "" {
		t.Errorf("a second server on the same store: %+v", second)
	}
	if code := s.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(s.errs.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("log line %q", line)
		}
	}
	if !strings.Contains(s.errs.String(), "GRANTD_FROB") {
		t.Errorf("no warning: %s", s.errs)
	}
}

func TestServeRefuses(t *testing.T) {
	got := grantd(t, "", "serve", "--config", write(t, "environment: live\n"))
	if got.code != exitFailed || got.out != "" || !strings.Contains(got.err, "grantd: config: issuer: ") {
		t.Errorf("%+v", got)
	}
}

// TestDevAddressInUse: the message names the flag that dev has.
func TestDevAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	grantd(t, "", "dev", "--listen", l.Addr().String()).is(t, result{code: exitFailed,
		err: "grantd: --listen: " + l.Addr().String() + " is in use by another program: stop it, or choose another with --listen 127.0.0.1:0\n"})
}

// TestDevLines runs the commands that dev prints, one after another.
func TestDevLines(t *testing.T) {
	for _, program := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("needs %s: make test installs it", program)
		}
	}
	s := startServing(t, []string{"GRANTD_TOKEN_TTL=nonsense"}, "dev", "--listen", "127.0.0.1:0")
	defer s.stop()
	var script []string
	for _, line := range s.printed {
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "curl ") || strings.HasPrefix(line, "TOKEN=") || strings.HasPrefix(line, "sleep ") {
			script = append(script, line)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu")
	cmd.Stdin = strings.NewReader(strings.Join(script, "\n") + "\n")
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	want := []string{`{"access_token":"gt_sandbox_`, `{"access_token":"gt_sandbox_`, `{"access_token":"gt_sandbox_`, `gt_sandbox_`, `{"caller":"client:demo","users":[`, `{"active":true,`, `{}`, `{"active":false}`, `{"error":"invalid_token"`}
	if len(lines) != len(want) {
		t.Fatalf("%d lines of %d:\n%s", len(lines), len(want), output)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is %s, not %s…", i+1, line, want[i])
		}
	}
	if !strings.Contains(lines[0], `"expires_in":7200,"scope":"users:read users:write"`) {
		t.Errorf("token: %s", lines[0])
	}
}

func TestDevJSON(t *testing.T) {
	s := startServing(t, nil, "dev", "--listen", "127.0.0.1:0", "--output", "json")
	defer s.stop()
	var d demo
	if err := json.Unmarshal([]byte(strings.Join(s.printed, "\n")), &d); err != nil {
		t.Fatal(err)
	}
	if s.ready != "ready public="+d.PublicURL {
		t.Errorf("ready line %q, public_url %s", s.ready, d.PublicURL)
	}
	resp, err := http.PostForm(d.TokenURL, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {d.Client.ClientID}, "client_secret": {d.Client.ClientSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || token.AccessToken == "" {
		t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	explained := grantd(t, token.AccessToken, "token", "explain", "--socket", d.AdminSocket)
	if explained.code != exitDone || !strings.HasPrefix(explained.out, "state         active\n") {
		t.Errorf("%+v", explained)
	}
	http.DefaultClient.CloseIdleConnections()
	if code := s.stop(); code != exitDone {
		t.Errorf("exit code %d: %s", code, s.errs)
	}
	if _, err := os.Stat(filepath.Dir(d.AdminSocket)); !os.IsNotExist(err) {
		t.Errorf("the folder still exists: %v", err)
	}
}
