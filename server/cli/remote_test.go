package cli

import (
	"bufio"
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
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/capture"
	"github.com/grantd/grantd/tests/poll"
)

// waitTime limits how long a test waits for background work.
const waitTime = 20 * time.Second

// reloadable is a `grantd serve` that the test can reload.
type reloadable struct {
	public, admin, socket string
	file                  string // its configuration
	reload                chan struct{}
	logs                  *capture.Buffer
	stop                  func() int
}

// serveWith starts a server with more added to its configuration. In more,
// ADMIN and SOCKET are replaced by its addresses.
func serveWith(t *testing.T, more string) reloadable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	dir := shortDir(t)
	r := reloadable{admin: l.Addr().String(), socket: filepath.Join(dir, "a.sock"), reload: make(chan struct{}), logs: &capture.Buffer{}}
	if !strings.Contains(more, "admin:") {
		more += "\nadmin: {listen: ADMIN, socket: SOCKET}\n"
	}
	more = strings.NewReplacer("ADMIN", r.admin, "SOCKET", r.socket).Replace(more)
	r.file = write(t, more+"\nmetrics: {listen: \"\"}\nstore: {embedded: {path: "+dir+"}}\n")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	out, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, []string{"serve", "--config", r.file}, Streams{
			Out: w, Err: r.logs, Reload: func() <-chan struct{} { return r.reload }, Env: func() []string { return []string{"GRANTD_PUBLIC_LISTEN=127.0.0.1:0"} },
		})
		w.Close()
	}()
	r.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { r.stop() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("never ready, exit code %d: %s", r.stop(), r.logs)
	}
	public, _, _ := strings.Cut(strings.TrimPrefix(line, "ready public="), " ")
	r.public = public
	return r
}

// local runs a command over the socket.
func (r reloadable) local(t *testing.T, args ...string) result {
	t.Helper()
	return grantd(t, "", append(args, "--socket", r.socket)...)
}

// token creates a client with the scope and returns a token of it.
func (r reloadable) token(t *testing.T, id, scope string) string {
	t.Helper()
	got := r.local(t, "client", "create", "--id", id, "--scope", scope, "--output", "json")
	var c struct {
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(got.out), &c); err != nil {
		t.Fatalf("%+v", got)
	}
	return r.tokenOf(t, id, c.Secret, scope)
}

func (r reloadable) tokenOf(t *testing.T, id, secret, scope string) string {
	t.Helper()
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := hc.PostForm(r.public+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {scope},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.AccessToken == "" {
		t.Fatalf("token: %d %v", resp.StatusCode, err)
	}
	return body.AccessToken
}

// certificate creates a certificate for the loopback address in the folder.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// served returns the serial number of the certificate at the address.
func served(t *testing.T, address string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestServerFlag(t *testing.T) {
	s := serveWith(t, "")
	reader, writer := s.token(t, "dashboard", "admin:read"), s.token(t, "terraform", "admin:write")
	remote := func(token, input string, args ...string) result {
		t.Helper()
		env := []string{"GRANTD_ADMIN_TOKEN=" + token, "GRANTD_ADMIN_SOCKET=/nowhere"}
		return grantdIn(t, env, input, append(args, "--server", "http://"+s.admin)...)
	}
	if got := remote(reader, "", "client", "list"); got.code != exitDone || !strings.Contains(got.out, "\nterraform ") || got.err != "" {
		t.Errorf("list: %+v", got)
	}
	if got := remote(reader, "", "client", "create", "--id", "a"); got.code != exitFailed || !strings.Contains(got.err, "lacks the scope") {
		t.Errorf("create with admin:read: %+v", got)
	}
	if got := remote("made-up", "", "client", "list"); got.code != exitFailed || !strings.Contains(got.err, "bearer token is not active") {
		t.Errorf("a wrong token: %+v", got)
	}
	got := remote(writer, "", "client", "create", "--id", "shop", "--scope", "users:read", "--output", "json")
	var shop struct {
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(got.out), &shop); err != nil {
		t.Fatalf("create: %+v", got)
	}
	token := s.tokenOf(t, "shop", shop.Secret, "users:read")

	got = remote(writer, token+"\n", "leak")
	if got.code != exitDone || !strings.Contains(got.out, "token") || !strings.Contains(got.out, "shop") || strings.Contains(got.out, token) {
		t.Errorf("leak of a token: %+v", got)
	}
	got = remote(writer, shop.Secret, "leak", "-", "--output", "json")
	var leak map[string]any
	if err := json.Unmarshal([]byte(got.out), &leak); err != nil || leak["kind"] != "client_secret" || leak["ended"] != true || leak["client_id"] != "shop" {
		t.Errorf("leak of a secret: %+v", got)
	}
	if got := remote(writer, "made-up", "leak"); got.code != exitFailed || !strings.Contains(got.err, "not a live credential") {
		t.Errorf("leak of nothing: %+v", got)
	}
	if got := remote(writer, "", "leak"); got.code != exitUsage {
		t.Errorf("leak without input: %+v", got)
	}
	if got := remote(reader, "", "token", "void-all"); got.code != exitFailed {
		t.Errorf("void-all with admin:read: %+v", got)
	}
	if got := remote(writer, "", "token", "void-all"); got.code != exitDone || got.out != "every token issued before now is void; partner tokens and API keys have ended for good, so make new ones\n" {
		t.Errorf("void-all: %+v", got)
	}
	if got := remote(writer, "", "client", "list"); got.code != exitFailed || !strings.Contains(got.err, "not active") {
		t.Errorf("after void-all: %+v", got)
	}
	for _, secret := range []string{reader, writer, token, shop.Secret} {
		if strings.Contains(s.logs.String(), secret) {
			t.Error("the log contains a credential")
		}
	}
}

func TestServerFlagRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		env  string
		args []string
		says string
	}{
		"no token":              {"", []string{"--server", "https://auth.example.com"}, "--server needs a token"},
		"http beyond this host": {"GRANTD_ADMIN_TOKEN=x", []string{"--server", "http://auth.example.com:8081"}, "must be an https URL unless"},
		"http of an address":    {"GRANTD_ADMIN_TOKEN=x", []string{"--server", "http://192.0.2.1:8081"}, "must be an https URL unless"},
		"http of 0.0.0.0":       {"GRANTD_ADMIN_TOKEN=x", []string{"--server", "http://0.0.0.0:8081"}, "must be an https URL unless"},
		"a name that looks so":  {"GRANTD_ADMIN_TOKEN=x", []string{"--server", "http://localhost.example.com"}, "must be an https URL unless"},
		"no URL":                {"GRANTD_ADMIN_TOKEN=x", []string{"--server", "auth.example.com"}, "--server must be a URL"},
		"another scheme":        {"GRANTD_ADMIN_TOKEN=x", []string{"--server", "ftp://auth.example.com"}, "--server must be a URL"},
		"password in the URL":   {"GRANTD_ADMIN_TOKEN=x", []string{"--server", "https://a:b@auth.example.com"}, "--server must be a URL"},
		"token with a break":    {"GRANTD_ADMIN_TOKEN=x\n", []string{"--server", "https://auth.example.com"}, "grantd: $GRANTD_ADMIN_TOKEN contains a line break, a space or another character that no token has: set it to the token alone\n"},
		"socket too":            {"GRANTD_ADMIN_TOKEN=x", []string{"--server", "https://auth.example.com", "--socket", "/x"}, "--server and --socket exclude each other"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			got := grantdIn(t, []string{tc.env}, "", append([]string{"client", "list"}, tc.args...)...)
			if got.code != exitUsage || !strings.Contains(got.err, tc.says) || got.out != "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestServerOverTLS(t *testing.T) {
	dir := shortDir(t)
	cert, key := certificate(t, dir, "ours")
	other, _ := certificate(t, dir, "other")
	s := serveWith(t, "admin: {listen: ADMIN, socket: SOCKET, tls: {cert_file: "+cert+", key_file: "+key+"}}")
	env := []string{"GRANTD_ADMIN_TOKEN=" + s.token(t, "dashboard", "admin:read")}
	list := func(url string, more ...string) result {
		return grantdIn(t, env, "", append([]string{"client", "list", "--server", url}, more...)...)
	}
	if got := list("https://"+s.admin, "--ca-file", cert); got.code != exitDone || !strings.Contains(got.out, "\ndashboard ") {
		t.Errorf("with the CA: %+v", got)
	}
	for name, tc := range map[string]struct {
		url  string
		more []string
		says string
		code int
	}{
		"the system's authorities": {"https://" + s.admin, nil, "certificate signed by unknown authority", exitFailed},
		"another authority":        {"https://" + s.admin, []string{"--ca-file", other}, "certificate", exitFailed},
		"a key instead":            {"https://" + s.admin, []string{"--ca-file", key}, "contains no PEM certificate", exitUsage},
		"no such file":             {"https://" + s.admin, []string{"--ca-file", filepath.Join(dir, "none")}, "--ca-file: the file ", exitUsage},
		"with the prefix":          {"https://" + s.admin + "/admin/v1", []string{"--ca-file", cert}, "write --server without /admin/v1", exitFailed},
		"plain HTTP":               {"http://" + s.admin, nil, "expects TLS: write https://", exitFailed},
	} {
		if got := list(tc.url, tc.more...); got.code != tc.code || !strings.Contains(got.err, tc.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// following is an `audit --follow` that runs in parallel with the test.
type following struct {
	out, err *capture.Buffer
	end      func() int
}

func follow(t *testing.T, args ...string) following {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := following{out: &capture.Buffer{}, err: &capture.Buffer{}}
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, append([]string{"audit", "--follow"}, args...), Streams{Out: f.out, Err: f.err})
	}()
	f.end = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { f.end() })
	return f
}

func (f following) shows(t *testing.T, text string) {
	t.Helper()
	poll.Await(t, waitTime, "the event "+text, func() string {
		if strings.Contains(f.out.String(), text) {
			return ""
		}
		return "so far: " + f.out.String() + f.err.String()
	})
}

func TestAuditFollow(t *testing.T) {
	s := serveWith(t, "")
	for i := range 70 { // more than a page
		if got := s.local(t, "client", "create", "--id", fmt.Sprintf("early%02d", i)); got.code != exitDone {
			t.Fatalf("%+v", got)
		}
	}
	table, few := follow(t, "--socket", s.socket, "--limit", "65"), follow(t, "--socket", s.socket, "--limit", "2", "--output", "json")
	table.shows(t, "client:early69")
	few.shows(t, "client:early69")
	if got := strings.Count(table.out.String(), "\n"); got != 65 {
		t.Errorf("--limit 65 shows %d events", got)
	}
	if got := strings.Count(few.out.String(), "\n"); got != 2 {
		t.Errorf("--limit 2 shows %d events", got)
	}
	for i := range 120 { // about a page or more between two requests
		if got := s.local(t, "client", "create", "--id", fmt.Sprintf("late%03d", i)); got.code != exitDone {
			t.Fatalf("%+v", got)
		}
	}
	table.shows(t, "client:late119")
	few.shows(t, "client:late119")
	for name, f := range map[string]following{"table": table, "json": few} {
		if code := f.end(); code != exitDone || f.err.String() != "" {
			t.Errorf("%s: exit code %d: %s", name, code, f.err)
		}
		// Each event once, oldest first.
		at := -1
		for i := range 120 {
			name := fmt.Sprintf("client:late%03d", i)
			next := strings.Index(f.out.String(), name)
			if next <= at || strings.Count(f.out.String(), `"target":"`+name+`"`) > 1 {
				t.Fatalf("%s: %s is at %d, the one before at %d", name, name, next, at)
			}
			at = next
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(few.out.String()), "\n") {
		var e struct{ Action, Actor string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action != "client.create" || !strings.HasPrefix(e.Actor, "uid:") {
			t.Fatalf("line %q: %v", line, err)
		}
	}
	if code := s.stop(); code != exitDone {
		t.Errorf("server: %d", code)
	}
}

// TestAuditFollowFiltered: a follower shows only what its filter selects, from
// before and from afterwards.
func TestAuditFollowFiltered(t *testing.T) {
	s := serveWith(t, "")
	for _, args := range [][]string{{"create", "--id", "a"}, {"create", "--id", "b"}, {"update", "a", "--name", "A"}} {
		if got := s.local(t, append([]string{"client"}, args...)...); got.code != exitDone {
			t.Fatalf("%+v", got)
		}
	}
	f := follow(t, "--socket", s.socket, "--target", "client:a", "--since", "1h", "--output", "json")
	f.shows(t, `"client.update"`)
	for _, args := range [][]string{{"deactivate", "b"}, {"deactivate", "a"}, {"delete", "b"}, {"delete", "a"}} {
		if got := s.local(t, append([]string{"client"}, args...)...); got.code != exitDone {
			t.Fatalf("%+v", got)
		}
	}
	f.shows(t, `"client.delete"`)
	if code := f.end(); code != exitDone || f.err.String() != "" || strings.Contains(f.out.String(), "client:b") || strings.Count(f.out.String(), "\n") != 4 {
		t.Errorf("exit code %d: %s%s", code, f.out, f.err)
	}
}

// TestAuditFollowFromNothing: a follower that starts with an empty audit log
// misses nothing, and ends with an error if the server stops.
func TestAuditFollowFromNothing(t *testing.T) {
	s := serveWith(t, "")
	f := follow(t, "--socket", s.socket)
	if got := s.local(t, "client", "create", "--id", "first"); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	f.shows(t, "client:first")
	s.stop()
	poll.Await(t, waitTime, "the end", func() string {
		if strings.Contains(f.err.String(), "no grantd is listening on") {
			return ""
		}
		return "so far: " + f.err.String()
	})
	if code := f.end(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
}

// SIGHUP, through the channel that main creates for it.
func TestReload(t *testing.T) {
	dir := shortDir(t)
	cert, key := certificate(t, dir, "public")
	catalog := filepath.Join(dir, "scopes.yaml")
	put := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(name string) string {
		return "- {name: " + name + ", description: d, read_only: true, sensitive: false}\n"
	}
	put(catalog, entry("old:read"))
	s := serveWith(t, "scopes: {file: "+catalog+"}\nlog: {level: warn}\npublic: {tls: {cert_file: "+cert+", key_file: "+key+"}}")
	address := strings.TrimPrefix(s.public, "https://")
	reload := func(outcome string) {
		t.Helper()
		before := strings.Count(s.logs.String(), outcome)
		s.reload <- struct{}{}
		poll.Await(t, waitTime, "reload", func() string {
			if strings.Count(s.logs.String(), outcome) > before {
				return ""
			}
			return "log: " + s.logs.String()
		})
	}
	creates := func(id, scope string, code int) {
		t.Helper()
		if got := s.local(t, "client", "create", "--id", id, "--scope", scope); got.code != code {
			t.Errorf("a client with %s: %+v", scope, got)
		}
	}
	creates("a", "old:read", exitDone)
	creates("b", "new:read", exitUsage)
	if strings.Contains(s.logs.String(), `"level":"INFO"`) {
		t.Error("logs below its level")
	}

	// A new catalog, certificate and log level are applied together.
	first := served(t, address)
	put(catalog, entry("old:read")+entry("new:read"))
	newCert, newKey := certificate(t, dir, "new")
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	config, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	put(s.file, strings.Replace(string(config), "level: warn", "level: debug", 1))
	s.reload <- struct{}{}
	poll.Await(t, waitTime, "the new catalog", func() string {
		got := s.local(t, "scope", "list")
		if strings.Contains(got.out, "new:read") {
			return ""
		}
		return "so far: " + got.out
	})
	creates("c", "new:read", exitDone)
	poll.Await(t, waitTime, "the new certificate", func() string {
		if served(t, address) != first {
			return ""
		}
		return "the old one is served"
	})
	poll.Await(t, waitTime, "the new level", func() string {
		s.local(t, "client", "list")
		if strings.Contains(s.logs.String(), `"level":"INFO"`) {
			return ""
		}
		return "log: " + s.logs.String()
	})

	// A bad catalog leaves the old one in place; the rest is applied.
	put(catalog, "- {name: new:read\n")
	reload(`"reload failed; the old state stays","what":"catalogue"`)
	creates("d", "new:read", exitDone)
	put(catalog, entry("newer:read"))
	second := served(t, address)
	put(key, "no key")
	reload(`"reload failed; the old state stays","what":"tls"`)
	if served(t, address) != second {
		t.Error("a bad key file changed the certificate")
	}
	creates("e", "newer:read", exitDone)

	// A bad configuration changes nothing.
	put(catalog, entry("newest:read"))
	put(s.file, string(config)+"\nfrob: 1\n")
	reload("reload failed; the old configuration remains in use")
	creates("f", "newest:read", exitUsage)
	put(s.file, string(config))
	if code := s.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}
