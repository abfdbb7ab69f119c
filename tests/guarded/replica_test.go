package guarded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/tests/harness"
	"github.com/grantd/grantd/tests/program"
)

const (
	// patience bounds every wait that is not what the test is about.
	patience = 20 * time.Second
	// callTimeout bounds one request of the test to a replica.
	callTimeout = 5 * time.Second
)

type object map[string]any

// replica is a `grantd serve` that can be killed and started again, or a server of this
// process whose clock is wrong.
type replica struct {
	t       *testing.T // of the whole lab: a replica outlives the subtest that starts it again
	name    string
	config  string // file
	process *process
	url     atomic.Value // string; it changes with each start
	metrics string       // URL, if it was asked for
	local   *http.Client // calls the admin socket
	public  *http.Client
}

// newReplica starts a replica on the Redis.
func newReplica(t *testing.T, name, issuer, redis string) *replica {
	t.Helper()
	dir := newFolder(t)
	socket := filepath.Join(dir, "admin.sock")
	r := &replica{
		t: t, name: name, config: filepath.Join(dir, "grantd.yaml"),
		public: &http.Client{Timeout: callTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
		local: &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}}},
	}
	metrics := freeAddr(t)
	r.metrics = "http://" + metrics + "/metrics"
	text := fmt.Sprintf(`issuer: %s
public: {listen: "127.0.0.1:0"}
admin: {socket: %s}
metrics: {listen: "%s"}
shutdown: {drain: 300ms}
log: {level: warn}
limits: {issue_per_client: {count: 0}, revocations_per_client: {count: 0}}
store: {backend: redis, redis: {addresses: ["%s"]}}
`, issuer, socket, metrics, redis)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	return r
}

func (r *replica) start() {
	r.t.Helper()
	p, ready := startProcess(r.t, r.name, "ready public=", program.Path(r.t), "serve", "--config", r.config)
	at, _, _ := strings.Cut(ready, " ")
	r.process = p
	r.url.Store(at)
}

// newWrongClock starts a replica in this process whose clock is wrong.
func newWrongClock(t *testing.T, name, issuer, redis string, ahead time.Duration) *replica {
	t.Helper()
	s := harness.Start(t, harness.Options{Ahead: ahead, Edit: func(c *config.Config) {
		harness.OnRedis(redis)(c)
		c.Issuer = issuer
	}})
	r := &replica{name: name, local: s.Admin, public: &http.Client{Timeout: callTimeout}}
	r.url.Store(s.URL)
	return r
}

// at returns the address of the public listener.
func (r *replica) at() string { return strings.TrimPrefix(r.url.Load().(string), "http://") }

// send sends a request and reads a JSON response into a value, unless that is nil.
func send(c *http.Client, req *http.Request, into any) error {
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode >= 300:
		return fmt.Errorf("%s %s: %d %s", req.Method, req.URL.Path, res.StatusCode, b)
	case into == nil || len(b) == 0:
		return nil
	}
	return json.Unmarshal(b, into)
}

// admin calls the admin API; a nil body sends none.
func (r *replica) admin(method, path string, body object, into any) error {
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

// form posts a form as a client.
func (r *replica) form(path string, c client, form url.Values, into any) error {
	req, err := http.NewRequest(http.MethodPost, r.url.Load().(string)+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(c.ID, c.Secret)
	return send(r.public, req, into)
}

// document posts a JSON:API document with a bearer token and returns the token that the
// response has.
func (r *replica) document(bearer, path, kind string, attributes object) (string, error) {
	b, err := json.Marshal(object{"data": object{"type": kind, "attributes": attributes}})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodPost, r.url.Load().(string)+path, bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/vnd.api+json")
	req.Header.Set("Authorization", "Bearer "+bearer)
	var out struct {
		Data struct {
			Attributes struct {
				Token string `json:"token"`
			} `json:"attributes"`
		} `json:"data"`
	}
	err = send(r.public, req, &out)
	return out.Data.Attributes.Token, err
}

// introspections returns how many introspections the replica has served; 0 if it has no
// metrics.
func (r *replica) introspections(t *testing.T) (n float64) {
	t.Helper()
	if r.metrics == "" {
		return 0 // a server of this process; the other replica is counted
	}
	req, err := http.NewRequest(http.MethodGet, r.metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.public.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, "} "); ok && strings.HasPrefix(name, "grantd_introspections_total{") {
			var v float64
			if _, err := fmt.Sscan(value, &v); err != nil {
				t.Fatal(err)
			}
			n += v
		}
	}
	return n
}
