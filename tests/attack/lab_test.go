//go:build attack

package attack_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/store/storetest/redistest"
	"github.com/grantd/grantd/tests/program"
)

// patience bounds every wait that is not what the test is about.
const patience = 30 * time.Second

// lab is a grantd that is attacked, and its Redis.
type lab struct {
	cmd     *exec.Cmd
	redis   *redistest.Server
	address string // host:port of the public listener
	socket  string
	log     string // file
	admin   *http.Client
}

// newLab starts grantd with the default limits.
func newLab(t *testing.T) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "grantd-attack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{redis: redistest.Start(t, "--maxmemory", "64mb"), socket: filepath.Join(dir, "admin.sock"), log: filepath.Join(dir, "log")}
	writeCertificate(t, dir)
	config := filepath.Join(dir, "grantd.yaml")
	text := fmt.Sprintf(`public: {listen: "127.0.0.1:0", tls: {cert_file: %[1]s/tls.crt, key_file: %[1]s/tls.key}}
admin: {socket: %[1]s/admin.sock}
metrics: {listen: ""}
shutdown: {drain: 0s}
store: {backend: redis, redis: {addresses: [%[2]q]}}
`, dir, l.redis.Addr)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(l.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	l.cmd = exec.Command(program.Path(t), "serve", "--config", config)
	l.cmd.Stderr = log
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	ready := make(chan string, 1)
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "ready ") {
				ready <- lines.Text()
			}
		}
		_ = l.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = l.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = l.cmd.Process.Kill()
			<-ended
		}
	})
	select {
	case line := <-ready:
		address, _, _ := strings.Cut(strings.TrimPrefix(line, "ready public=https://"), " ")
		l.address = address
	case <-ended:
		t.Fatalf("grantd ended:\n%s", l.tail())
	case <-time.After(patience):
		t.Fatalf("grantd is not ready:\n%s", l.tail())
	}
	l.admin = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", l.socket)
	}}}
	return l
}

func (l *lab) tail() string {
	b, err := os.ReadFile(l.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-3000):])
}

// change sends a request to the admin API.
func (l *lab) change(method, path string, body, into any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, "http://grantd/admin/v1"+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := l.admin.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, b)
	}
	if into == nil || len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, into)
}

// credentials are those of a client.
type credentials struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func (l *lab) client(t *testing.T, spec map[string]any) credentials {
	t.Helper()
	var c credentials
	if err := l.change(http.MethodPost, "/clients", spec, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// peak is the most memory that grantd had since the last call, in bytes.
func (l *lab) peak(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", l.cmd.Process.Pid), []byte("5"), 0o600)
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// writeCertificate writes a certificate for loopback and its key.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// from returns a client whose connections come from an address of 127.0.0.0/8.
func from(address string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: d.DialContext, TLSClientConfig: insecure("http/1.1"), MaxIdleConnsPerHost: 64,
	}}
}

func insecure(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols} //nolint:gosec // a certificate of this test
}

// dial opens a TLS connection from an address, or returns nil if it is refused.
func (l *lab) dial(ctx context.Context, address string, protocols ...string) *tls.Conn {
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}, Config: insecure(protocols...)}
	c, err := d.DialContext(ctx, "tcp", l.address)
	if err != nil {
		return nil
	}
	return c.(*tls.Conn)
}

// post sends a form with the client's secret and returns the status and the body.
func (l *lab) post(ctx context.Context, h *http.Client, path string, c credentials, form url.Values) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+l.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	res, err := h.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

// dialPlain opens a connection from an address, without TLS on it.
func dialPlain(ctx context.Context, l *lab, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 5 * time.Second}
	return d.DialContext(ctx, "tcp", l.address)
}
