//go:build chaos

package chaos_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/program"
)

const (
	// patience bounds every wait that is not what the test is about.
	patience = 40 * time.Second
	// callTimeout bounds one request.
	callTimeout = 5 * time.Second
)

// replica is a `grantd serve` that can be killed and started again.
type replica struct {
	name   string
	config string // file
	log    string // file; all starts write to it
	socket string
	cmd    *exec.Cmd
	ended  chan struct{}
	url    atomic.Value // string; it changes with each start
	local  *http.Client // calls the admin socket
	public *http.Client
}

// newReplica writes the configuration; store is its section store.
func newReplica(t *testing.T, name, store string) *replica {
	t.Helper()
	dir, err := os.MkdirTemp("", "grantd-chaos-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &replica{
		name: name, config: filepath.Join(dir, "grantd.yaml"), log: filepath.Join(dir, "log"), socket: filepath.Join(dir, "admin.sock"),
		public: &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	r.local = &http.Client{Timeout: 2 * callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", r.socket)
	}}}
	text := fmt.Sprintf(`public: {listen: "127.0.0.1:0"}
admin: {socket: %s}
metrics: {listen: ""}
cache: {max_staleness: %v}
customers: {sandbox_code: "%s"}
log: {level: warn}
limits:
  auth_failures_per_client_and_address: {count: 0}
  auth_failures_per_address: {count: 0}
  auth_failures_per_client: {count: 0}
  issue_per_client: {count: 0}
  revocations_per_client: {count: 0}
  customer_tokens_per_client: {count: 0}
  on_behalf_tokens_per_partner: {count: 0}
  codes_per_phone: {count: 0}
  codes_per_customer: {count: 0}
  codes_per_client: {count: 0}
  codes_per_org: {count: 0}
store: %s
`, r.socket, staleness, code, store)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	return r
}

// start starts the process and waits until it has printed that it is ready.
func (r *replica) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r.cmd = exec.Command(program.Path(t), "serve", "--config", r.config)
	r.cmd.Stderr = log
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended, cmd := make(chan string, 1), make(chan struct{}), r.cmd
	r.ended = ended
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if at, ok := strings.CutPrefix(lines.Text(), "ready public="); ok {
				ready <- at
			}
		}
		_ = cmd.Wait()
	}()
	select {
	case line := <-ready:
		at, _, _ := strings.Cut(line, " ")
		r.url.Store(at)
	case <-ended:
		t.Fatalf("%s ended at its start:\n%s", r.name, r.tail())
	case <-time.After(patience):
		t.Fatalf("%s is not ready:\n%s", r.name, r.tail())
	}
}

// kill ends the process at once (SIGKILL).
func (r *replica) kill() {
	if r.cmd == nil || r.cmd.Process == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	<-r.ended
}

func (r *replica) tail() string {
	b, err := os.ReadFile(r.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-3000):])
}

// ready returns "" once the replica can do everything.
func (r *replica) ready() string {
	res, err := r.public.Get(r.at("/readyz"))
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		return string(b)
	}
	return ""
}

func (r *replica) at(path string) string { return r.url.Load().(string) + path }

// errStatus is a response that is not a success: it was refused, or its outcome is
// unknown.
type errStatus struct {
	status int
	body   string
}

func (e errStatus) Error() string { return fmt.Sprintf("%d %s", e.status, e.body) }

// statusOf returns the status of a response, or 0 if there was none.
func statusOf(err error) int {
	var e errStatus
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &e):
		return e.status
	}
	return 0
}

func send(c *http.Client, req *http.Request, into any) error {
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return errStatus{res.StatusCode, string(b)}
	}
	if into == nil || len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, into)
}

type object = map[string]any

// admin sends a request to the admin API. body nil sends none.
func (r *replica) admin(method, path string, body, into any) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://grantd/admin/v1"+path, in)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return send(r.local, req, into)
}

// form posts a form as the client.
func (r *replica) form(path, id, secret string, form url.Values, into any) error {
	req, err := http.NewRequest(http.MethodPost, r.at(path), strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return send(r.public, req, into)
}

// document posts a JSON:API document and returns an attribute of the response.
func (r *replica) document(bearer, path, typ string, attributes object, want string) (string, error) {
	b, err := json.Marshal(object{"data": object{"type": typ, "attributes": attributes}})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodPost, r.at(path), bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	req.Header = http.Header{"Content-Type": {"application/vnd.api+json"}, "Authorization": {"Bearer " + bearer}}
	var out struct {
		Data struct {
			Attributes map[string]any `json:"attributes"`
		} `json:"data"`
	}
	if err := send(r.public, req, &out); err != nil {
		return "", err
	}
	value, _ := out.Data.Attributes[want].(string)
	return value, nil
}

func (r *replica) get(bearer, path string) error {
	req, err := http.NewRequest(http.MethodGet, r.at(path), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	return send(r.public, req, nil)
}
