// Package upgrade_test runs the last grantd that landed and this one, in turn, on the
// same store.
package upgrade_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/program"
)

const (
	// landed is the commit that the store is upgraded from, and the format of its
	// store. Move both on when a release is made.
	landed       = "25abe02b957f540c921f26b005a512ae93f479bc"
	landedFormat = 1

	patience = time.Minute
)

// oldProgram builds the grantd of the commit from the history of the repository. A
// clone without that commit has only this program: then old and new are the same.
func oldProgram(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	root := filepath.Join("..", "..")
	archive := filepath.Join(folder, "source.tar")
	if out, err := exec.Command("git", "-C", root, "archive", "-o", archive, landed).CombinedOutput(); err != nil {
		t.Logf("the clone is shallow (git fetch --unshallow), so nothing older is tried: %v\n%s", err, out)
		return program.Path(t)
	}
	source := filepath.Join(folder, "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "", "tar", "-xf", archive, "-C", source)
	path := filepath.Join(folder, "grantd")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "nomsgpack", "-buildvcs=false", "-o", path, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", landed, err, out)
	}
	return path
}

// command runs a program, and returns what it printed.
func command(t *testing.T, folder, name string, args ...string) string {
	t.Helper()
	out, err := tryCommand(folder, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func tryCommand(folder, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GRANTD_CONFIG=grantd.yaml"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// running is a `grantd serve`.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	err  *bytes.Buffer
	url  string
	done chan error
}

// serve starts a program and waits until it is ready.
func serve(t *testing.T, folder, program string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(program, "serve"), err: new(bytes.Buffer), done: make(chan error, 1)}
	r.cmd.Dir, r.cmd.Stderr = folder, r.err
	r.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "GRANTD_CONFIG=grantd.yaml"}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		ready <- line
		_, _ = io.Copy(io.Discard, out)
		r.done <- r.cmd.Wait()
	}()
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	select {
	case line := <-ready:
		if _, err := fmt.Sscanf(line, "ready public=%s", &r.url); err != nil {
			t.Fatalf("%s is not ready: %q\n%s", program, line, r.err)
		}
	case <-time.After(patience):
		t.Fatalf("%s is not ready after %s", program, patience)
	}
	return r
}

func (r *running) stop() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Fatalf("grantd ended with %v\n%s", err, r.err)
		}
	case <-time.After(patience):
		r.t.Fatalf("grantd does not end\n%s", r.err)
	}
}

// post sends a form, and returns the response if it is 200.
func (r *running) post(path, id, secret string, form url.Values) map[string]any {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != http.StatusOK {
		r.t.Fatalf("%s as %s: %d %v %v", path, id, res.StatusCode, body, err)
	}
	return body
}

// world is what the versions of grantd make, and what each must find.
type world struct {
	folder string
	secret map[string]string // by client
	alive  []string          // tokens
	ended  []string
}

// use makes a client and tokens with a running grantd, and checks all that was made
// before.
func (w *world) use(r *running, program, id string) {
	r.t.Helper()
	w.check(r)
	var made struct {
		Secret string `json:"client_secret"`
	}
	out := command(r.t, w.folder, program, "client", "create", "--id", id, "--scope", "users:read introspect", "--output", "json")
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):strings.LastIndex(out, "}")+1]), &made); err != nil {
		r.t.Fatalf("client create: %v\n%s", err, out)
	}
	w.secret[id] = made.Secret
	for i := range 2 {
		plain := r.post("/oauth/token", id, made.Secret, url.Values{"grant_type": {"client_credentials"}})["access_token"].(string)
		if i == 0 {
			w.alive = append(w.alive, plain)
			continue
		}
		r.post("/oauth/revoke", id, made.Secret, url.Values{"token": {plain}})
		w.ended = append(w.ended, plain)
	}
	w.check(r)
}

// check checks that secrets and tokens work, and that ended tokens do not.
func (w *world) check(r *running) {
	r.t.Helper()
	for id, secret := range w.secret {
		r.post("/oauth/token", id, secret, url.Values{"grant_type": {"client_credentials"}})
		for _, plain := range w.alive {
			if got := r.post("/oauth/introspect", id, secret, url.Values{"token": {plain}}); got["active"] != true {
				r.t.Errorf("a token is %v", got)
			}
		}
		for _, plain := range w.ended {
			if got := r.post("/oauth/introspect", id, secret, url.Values{"token": {plain}}); got["active"] != false {
				r.t.Errorf("an ended token is %v", got)
			}
		}
	}
}

// TestUpgradeAndBack starts the old grantd, this one, the old one and this one on the
// same store. The old one either works with what this one has written, or refuses
// the store in words, if its format is lower; then it works with the store from
// before the upgrade.
func TestUpgradeAndBack(t *testing.T) {
	t.Parallel()
	old, current := oldProgram(t), program.Path(t)
	for kind, text := range map[string]func(t *testing.T) string{
		"embedded": func(*testing.T) string { return "store: {embedded: {path: ./data}}" },
		"redis": func(t *testing.T) string {
			return fmt.Sprintf("store: {backend: redis, redis: {addresses: [%q]}}", redistest.Start(t).Addr)
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			folder, err := os.MkdirTemp("", "grantd-upgrade-") // t.TempDir is too long a path for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(folder) })
			config := "public: {listen: '127.0.0.1:0'}\nmetrics: {listen: ''}\nadmin: {socket: ./admin.sock}\n" + text(t) + "\n"
			if err := os.WriteFile(filepath.Join(folder, "grantd.yaml"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			w := &world{folder: folder, secret: map[string]string{}}
			r := serve(t, folder, old)
			w.use(r, old, "first")
			r.stop()
			command(t, folder, current, "store", "backup", "before.backup")
			r = serve(t, folder, current)
			w.use(r, current, "second")
			r.stop()
			w.back(t, old, current)
		})
	}
}

// back goes back to the old grantd, and to this one again.
func (w *world) back(t *testing.T, old, current string) {
	t.Helper()
	if store.Format > landedFormat && old != current {
		out, err := tryCommand(w.folder, old, "serve")
		if err == nil || !strings.Contains(out, "newer") {
			t.Fatalf("the old grantd starts with a store of format %d without a word: %v\n%s", store.Format, err, out)
		}
		command(t, w.folder, current, "store", "restore", "before.backup", "--force")
		// Tokens and the second client are gone; see OPERATING.md.
		w.ended, w.alive = append(w.ended, w.alive...), nil
		delete(w.secret, "second")
	}
	r := serve(t, w.folder, old)
	w.use(r, old, "third")
	r.stop()
	r = serve(t, w.folder, current)
	w.use(r, current, "fourth")
	r.stop()
}
