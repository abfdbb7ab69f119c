package crash_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// refused checks that the process ends with exit code 1, prints nothing on
// standard output, and prints one line with the words on standard error.
func refused(t *testing.T, p *process, words ...string) {
	t.Helper()
	if code := p.wait(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if p.stdout.Len() > 0 {
		t.Errorf("standard output: %q", p.stdout.String())
	}
	said := p.stderr.String()
	if !strings.HasPrefix(said, "grantd: ") || strings.Count(said, "\n") != 1 || !strings.HasSuffix(said, "\n") {
		t.Errorf("standard error is not one line that begins with grantd: %q", said)
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("standard error does not say %q: %q", w, said)
		}
	}
}

func TestSecondGrantdOnTheSameFolder(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	first := serve(t, f, "first")
	second := launch(t, f, "second")
	refused(t, second, "store.embedded.path", filepath.Join(f.path, "data"), "another grantd")
	c := client{ID: "c", Scope: "users:read"}
	if err := c.create(first); err != nil {
		t.Errorf("the first one: %v", err)
	}
	first.terminate(t)
	if code := first.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, _, err := c.issue(serve(t, f, "second"), c.Secret); err != nil {
		t.Errorf("after the first process has ended: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := newFolder(t)
	f.listen = l.Addr().String()
	refused(t, launch(t, f, "g"), "public.listen", f.listen, "in use")
}

func TestSocketInUse(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	serve(t, f, "g")
	other := newFolder(t)
	if err := os.Symlink(filepath.Join(f.path, "g.sock"), filepath.Join(other.path, "g.sock")); err != nil {
		t.Fatal(err)
	}
	refused(t, launch(t, other, "g"), "admin.socket")
}

func TestStoreOfAnotherEnvironment(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := serve(t, f, "sandbox")
	p.terminate(t)
	p.wait(t)
	live := f
	live.extra = `environment: live
issuer: https://auth.example
customers: {sender: webhook, phone_key_file: phone-keys, webhook: {url: "https://sms.example", secret_file: webhook-secret}}
`
	for name, content := range map[string]string{
		"webhook-secret": "0123456789abcdef0123456789abcdef\n",
		"phone-keys":     "first:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(f.path, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, launch(t, live, "live"), "another environment", "sandbox")

	otherIssuer := f
	otherIssuer.extra = "issuer: http://auth.example\n"
	refused(t, launch(t, otherIssuer, "issuer"), "issuer")
	serve(t, f, "sandbox")
}

// TestTerminationFinishesRequests checks that after SIGTERM the server accepts no
// new connections and finishes the running requests.
func TestTerminationFinishesRequests(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := serve(t, f, "g")
	c := client{ID: "c", Scope: "users:read"}
	if err := c.create(p); err != nil {
		t.Fatal(err)
	}
	addr := strings.TrimPrefix(p.URL, "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	body := "grant_type=client_credentials&client_id=c&client_secret=" + c.Secret
	fmt.Fprintf(conn, "POST /oauth/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", addr, len(body))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q %v", line, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	// The handler reads the body now.
	p.terminate(t)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		probe, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		probe.Close()
		if time.Now().After(end) {
			t.Fatal("the server still accepts connections")
		}
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(in, nil) //nolint:bodyclose // accessToken closes it
	if err != nil {
		t.Fatalf("the running request: %v", err)
	}
	token, err := accessToken(res)
	if err != nil {
		t.Fatalf("the running request: %v", err)
	}
	if code := p.wait(t); code != 0 || strings.Contains(p.stderr.String(), "grantd: ") {
		t.Errorf("exit code %d, want 0\n%s", code, p.stderr.String())
	}
	p = serve(t, f, "g")
	rs := client{ID: "rs", Scope: "introspect"}
	if err := rs.create(p); err != nil {
		t.Fatal(err)
	}
	if active, err := rs.introspect(p, token); err != nil || !active {
		t.Errorf("the token after the restart: active %v, %v", active, err)
	}
}
