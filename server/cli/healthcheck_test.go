package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/config"
)

// TestHealthcheck has a row for each thing that a server can respond.
func TestHealthcheck(t *testing.T) {
	const stale = `{"status":"unavailable","cause":"feed_not_fresh","reason":"check the store"}`
	for _, row := range []struct {
		name, path, body string
		status, code     int
		says             string
	}{
		{"ready", "", `{"status":"ready"}`, 200, exitDone, ""},
		{"another path", "/healthz", `{"status":"ok"}`, 200, exitDone, ""},
		{"not ready", "", stale, 503, exitFailed, "grantd: not ready: check the store ("},
		{"a reason that moves the cursor", "", `{"reason":"\u001b[2J"}`, 503, exitFailed, `\x1b[2J`},
		{"TLS", "", "Client sent an HTTP request to an HTTPS server.", 400, exitFailed, "if the server uses TLS"},
		{"not grantd", "", "<html>", 404, exitFailed, "responds with status 404, as grantd does not"},
		{"a redirect", "", "", 302, exitFailed, "status 302"},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked := ""
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked += r.Method + " " + r.URL.Path
				w.Header().Set("Location", "/healthz")
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			}))
			defer s.Close()
			got := grantd(t, "", "healthcheck", "--url", s.URL+row.path)
			if got.code != row.code || !strings.Contains(got.err, row.says) || (row.code == exitDone) != (got.out == "ready: "+s.URL+"/readyz\n" || got.out == "ready: "+s.URL+"/healthz\n") {
				t.Errorf("%+v", got)
			}
			if want := "GET /readyz"; row.path == "" && asked != want {
				t.Errorf("asked %q, want %q once", asked, want)
			}
			asJSON := grantd(t, "", "healthcheck", "--url", s.URL+row.path, "--output", "json")
			if ready := strings.Contains(asJSON.out, `"ready": true`); asJSON.code != row.code || ready != (row.code == exitDone) || !strings.Contains(asJSON.out, `"http_status": `) {
				t.Errorf("JSON: %+v", asJSON)
			}
		})
	}
}

func TestHealthcheckReachesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // accepts nothing: the connection waits in its queue
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, url := range map[string]string{"closed": closed.URL, "silent": "http://" + l.Addr().String(), "TLS to none": "https" + strings.TrimPrefix(closed.URL, "http")} {
		got := grantd(t, "", "healthcheck", "--url", url)
		if got.code != exitFailed || got.out != "" || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, "not ready: "+url+"/readyz cannot be reached: ") {
			t.Errorf("%s: %+v", name, got)
		}
		if got := grantd(t, "", "healthcheck", "--url", url, "--output", "json"); got.code != exitFailed || !strings.Contains(got.out, `"cause": "unreachable"`) {
			t.Errorf("%s as JSON: %+v", name, got)
		}
	}
	for name, args := range map[string][]string{
		"no scheme": {"--url", "127.0.0.1:8080"}, "no socket": {"--url", "unix:"}, "no socket before a path": {"--url", "unix::/healthz"}, "empty": {"--url", ""}, "a password": {"--url", "http://a:hush@127.0.0.1"}, "an argument": {"x"},
	} {
		if got := grantd(t, "", append([]string{"healthcheck"}, args...)...); got.code != exitUsage || strings.Contains(got.err, "hush") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	got := grantdIn(t, []string{"GRANTD_PUBLIC_LISTEN=127.0.0.1:0"}, "", "healthcheck")
	if got.code != exitUsage || !strings.Contains(got.err, "name the server with --url") {
		t.Errorf("any port: %+v", got)
	}
}

// TestHealthcheckOfSocket: --url has the value of grantd edge's --listen.
func TestHealthcheckOfSocket(t *testing.T) {
	socket := filepath.Join(shortDir(t), "edge.sock")
	at := "unix:" + socket
	if got := grantd(t, "", "healthcheck", "--url", at); got.code != exitFailed || !strings.Contains(got.err, "not ready: "+socket+" cannot be reached: ") {
		t.Errorf("before the start: %+v", got)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"cause":"draining","reason":"the process stops"}`)
		}
	})}}
	s.Start()
	defer s.Close()
	if got := grantd(t, "", "healthcheck", "--url", at); got.code != exitFailed || !strings.Contains(got.err, "not ready: the process stops ("+socket+", status 503)") {
		t.Errorf("not ready: %+v", got)
	}
	if got := grantd(t, "", "healthcheck", "--url", at+":/healthz"); got.code != exitDone || got.out != "ready: "+socket+"\n" {
		t.Errorf("another path: %+v", got)
	}
	got := grantd(t, "", "healthcheck", "--url", at+":/healthz", "--output", "json")
	if got.code != exitDone || !strings.Contains(got.out, `"socket": "`+socket+`"`) {
		t.Errorf("as JSON: %+v", got)
	}
}

func TestHealthcheckAsksTheConfiguredServer(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/readyz", "0.0.0.0:80": "http://127.0.0.1:80/readyz", ":80": "http://127.0.0.1:80/readyz",
		"[::]:80": "http://[::1]:80/readyz", "192.0.2.7:80": "http://192.0.2.7:80/readyz", "localhost:80": "http://localhost:80/readyz",
	} {
		cfg := config.Defaults()
		cfg.Public.Listen = listen
		if got, err := configuredTarget(nil, cfg); err != nil || got.url != want || got.socket != "" {
			t.Errorf("%s: %+v, %v; want %s", listen, got, err, want)
		}
	}
}

// TestHealthcheckWithTLS: the certificate is for another name, and callers need
// one too in the second round.
func TestHealthcheckWithTLS(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	pair.Close()
	dir := shortDir(t)
	key, err := x509.MarshalPKCS8PrivateKey(pair.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: pair.Certificate().Raw}, "tls.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, more := range map[string]string{"server": "", "client": ", client_ca_file: " + dir + "/tls.crt"} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := l.Addr().String()
			l.Close()
			file := write(t, "public: {listen: \""+address+"\", tls: {cert_file: "+dir+"/tls.crt, key_file: "+dir+"/tls.key"+more+"}}\n"+
				"metrics: {listen: \"\"}\nadmin: {socket: "+dir+"/"+name+"/a.sock}\nstore: {embedded: {path: "+dir+"/"+name+"}}\n")
			if got := grantd(t, "", "healthcheck", "--config", file); got.code != exitFailed || !strings.Contains(got.err, "cannot be reached") {
				t.Errorf("before the start: %+v", got)
			}
			startServing(t, nil, "serve", "--config", file)
			if got := grantd(t, "", "healthcheck", "--config", file); got.code != exitDone || !strings.HasPrefix(got.out, "ready: ") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// elsewhere is a connection with other addresses than it has.
type elsewhere struct {
	net.Conn
	local, remote net.Addr
}

func (e elsewhere) LocalAddr() net.Addr  { return e.local }
func (e elsewhere) RemoteAddr() net.Addr { return e.remote }

// TestHealthcheckChecksOtherMachines: only a server on this machine may have any
// certificate, whatever public.listen or --url calls it.
func TestHealthcheckChecksOtherMachines(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	at := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 443} }
	for _, row := range []struct {
		name          string
		local, remote net.Addr
		accepted      bool
	}{
		{"loopback", at("127.0.0.1"), at("127.0.0.1"), true},
		{"another loopback", at("127.0.0.1"), at("127.0.0.9"), true},
		{"IPv6", at("::1"), at("::1"), true},
		{"an interface of this machine", at("192.0.2.7"), at("192.0.2.7"), true},
		{"another machine", at("192.0.2.7"), at("192.0.2.8"), false},
		{"another machine, IPv6", at("2001:db8::7"), at("2001:db8::8"), false},
		{"no address", nil, nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn = elsewhere{conn, row.local, row.remote}
			err = tls.Client(conn, certificateRule(conn, "auth.example.org")).HandshakeContext(t.Context())
			if (err == nil) != row.accepted || err != nil && !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%v, want accepted: %v", err, row.accepted)
			}
		})
	}
}
