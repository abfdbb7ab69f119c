package deploy

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/capture"
	"github.com/grantd/grantd/tests/poll"
	"github.com/grantd/grantd/tests/program"
)

// replica is one grantd process behind HAProxy. Its address stays the same when it
// is started again.
type replica struct {
	address, socket, config string
	cmd                     *exec.Cmd
	stderr                  bytes.Buffer
}

func newReplica(t *testing.T, redis string) *replica {
	t.Helper()
	dir, err := os.MkdirTemp("", "grantd-haproxy-") // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &replica{address: freeAddress(t), socket: filepath.Join(dir, "s"), config: filepath.Join(dir, "grantd.yaml")}
	write(t, r.config, fmt.Sprintf(`issuer: https://auth.example.com
public: {listen: %q, behind_tls_proxy: true, trusted_proxies: [127.0.0.1]}
admin: {socket: %q}
metrics: {listen: ""}
store: {backend: redis, redis: {addresses: [%q]}}
limits: {issue_per_client: {count: 0}}
log: {level: warn}
`, r.address, r.socket, redis))
	return r
}

// start starts the process and waits until it serves.
func (r *replica) start(t *testing.T) {
	t.Helper()
	r.stderr.Reset()
	r.cmd = exec.Command(program.Path(t), "serve", "--config", r.config)
	r.cmd.Stderr = &r.stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd := r.cmd
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "ready ") {
		t.Fatalf("%q %v", line, err)
	}
}

// terminate ends the process as a service manager does, and waits for its end.
func (r *replica) terminate(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("grantd ended with: %v\n%s", err, &r.stderr)
	}
}

// newClient creates a client, and returns its secret.
func (r *replica) newClient(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program.Path(t), append([]string{"client", "create", "--socket", r.socket, "--output", "json"}, args...)...)
	var made struct {
		Secret string `json:"client_secret"`
	}
	if out, err := cmd.Output(); err != nil || json.Unmarshal(out, &made) != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return made.Secret
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestHAProxyHasRoomForStreams: the streams that two processes may have leave room for
// other requests.
func TestHAProxyHasRoomForStreams(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`(?m)^    maxconn (\d+)$`).FindStringSubmatch(read(t, "haproxy.cfg"))
	if found == nil {
		t.Fatal("haproxy.cfg has no maxconn")
	}
	streams := 2 * config.Defaults().Stream.MaxReaders
	if n, err := strconv.Atoi(found[1]); err != nil || n < streams+4000 {
		t.Errorf("maxconn %s, beside %d streams", found[1], streams)
	}
}

// startHAProxy starts HAProxy with haproxy.cfg in front of the replicas. It returns
// its URL, a client that trusts it, and what it logs.
func startHAProxy(t *testing.T, replicas ...*replica) (string, *http.Client, *lockedLog) {
	t.Helper()
	certificate, trusted := certificateFor(t)
	address := freeAddress(t)
	text := read(t, "haproxy.cfg")
	for old, new := range map[string]string{
		"/etc/haproxy/auth.example.com.pem": certificate, "bind :443": "bind " + address,
		"127.0.0.1:8080": replicas[0].address, "127.0.0.1:8081": replicas[1].address,
		"maxconn 20000": "maxconn 1000", // this machine may allow few files
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("haproxy.cfg has no %s", old)
		}
		text = strings.ReplaceAll(text, old, new)
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	write(t, path, text)
	if out, err := exec.CommandContext(t.Context(), "haproxy", "-c", "-f", path).CombinedOutput(); err != nil || bytes.Contains(out, []byte("[WARNING]")) {
		t.Fatalf("haproxy -c: %v\n%s", err, out)
	}
	cmd, log := exec.Command("haproxy", "-db", "-f", path), &lockedLog{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, ServerName: "auth.example.com"}}}
	return "https://" + address, client, log
}

// lockedLog is what a process logs.
type lockedLog struct{ capture.Buffer }

// count returns how often a process became UP or DOWN. HAProxy also prints a warning
// each time.
func (l *lockedLog) count(became string) int {
	return len(regexp.MustCompile(`(?m)^Server grantd/grantd-\d is `+became+",").FindAllString(l.String(), -1))
}

// certificateFor makes a file with a certificate and its key, as HAProxy reads it.
func certificateFor(t *testing.T) (path string, trusted *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 90),
		DNSNames: []string{"auth.example.com"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted = x509.NewCertPool()
	trusted.AddCert(cert)
	path = filepath.Join(t.TempDir(), "auth.pem")
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	return path, trusted
}

// post sends a form with a client's credentials and returns the body of a 200.
func post(client *http.Client, target, id, secret string, form url.Values) (string, error) {
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status + " " + string(body))
	}
	return string(body), err
}

// TestRollingRestart restarts two replicas behind HAProxy, one after the other,
// while eight callers issue and introspect. No request fails, and HAProxy sent none
// to a process that no longer listened.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	one, two := newReplica(t, redis.Addr), newReplica(t, redis.Addr)
	one.start(t)
	two.start(t)
	secret, rsSecret := one.newClient(t, "--id", "shop", "--scope", "users:read"), one.newClient(t, "--id", "api", "--introspect")
	address, client, log := startHAProxy(t, one, two)
	issue := func() (string, error) {
		return post(client, address+"/oauth/token", "shop", secret, url.Values{"grant_type": {"client_credentials"}})
	}
	poll.Await(t, poll.Patience, "HAProxy to serve", func() string {
		if _, err := issue(); err != nil {
			return err.Error()
		}
		return ""
	})

	var served atomic.Int64
	done := make(chan struct{})
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(2 * time.Millisecond):
				}
				body, err := issue()
				var token struct {
					AccessToken string `json:"access_token"`
				}
				if err == nil {
					err = json.Unmarshal([]byte(body), &token)
				}
				if err != nil {
					t.Errorf("issuing: %v", err)
					return
				}
				body, err = post(client, address+"/oauth/introspect", "api", rsSecret, url.Values{"token": {token.AccessToken}})
				if err != nil || !strings.Contains(body, `"active":true`) {
					t.Errorf("introspecting: %s %v", body, err)
					return
				}
				served.Add(2)
			}
		})
	}
	for _, r := range []*replica{one, two} {
		before := served.Load()
		poll.AwaitTrue(t, poll.Patience, "load", func() bool { return served.Load() > before+100 || t.Failed() })
		ups := log.count("UP")
		begun := time.Now()
		r.terminate(t)
		t.Logf("ended %v after SIGTERM", time.Since(begun).Round(time.Millisecond))
		r.start(t)
		poll.AwaitTrue(t, poll.Patience, "HAProxy to use it again", func() bool { return log.count("UP") > ups })
	}
	close(done)
	callers.Wait()
	if n := log.count("DOWN"); n != 2 {
		t.Errorf("HAProxy found %d processes not ready, want 2", n)
	}
	// The fields are active, frontend, backend and server connections, and retries.
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "\"POST ") && !strings.Contains(line, "/0 0/0 ") {
			t.Errorf("HAProxy tried a request again: %s", line)
		}
	}
	t.Logf("%d requests, none failed", served.Load())
}
