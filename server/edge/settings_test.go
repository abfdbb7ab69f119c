package edge

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grantd/grantd/tests/capture"
)

// TestFaults: every wrong setting has its message, and all are reported together.
func TestFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty, lines := filepath.Join(dir, "empty"), filepath.Join(dir, "lines")
	for file, text := range map[string]string{empty: "\n", lines: "a\nb\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		edit func(*Settings)
		want string
	}{
		{"file is a pipe", func(s *Settings) { s.SecretFile = pipe }, "it is not a file"},
		{"file is a device", func(s *Settings) { s.SecretFile = "/dev/zero" }, "it is not a file"},
		{"good", func(*Settings) {}, ""},
		{"https", func(s *Settings) { s.Upstream = "https://auth.example.com/base" }, ""},
		{"localhost", func(s *Settings) { s.Listen, s.Upstream = "localhost:0", "http://localhost:8080" }, ""},
		{"IPv6", func(s *Settings) { s.Listen, s.Upstream = "[::1]:0", "http://[::1]:8080" }, ""},
		{"no upstream", func(s *Settings) { s.Upstream = "" }, "--upstream is missing"},
		{"not a URL", func(s *Settings) { s.Upstream = "auth.example.com" }, "--upstream must be a URL"},
		{"user in the URL", func(s *Settings) { s.Upstream = "https://a:b@auth.example.com" }, "--upstream must be a URL"},
		{"query", func(s *Settings) { s.Upstream = "https://auth.example.com/?" }, "--upstream must be a URL"},
		{"in the clear", func(s *Settings) { s.Upstream = "http://auth.example.com" }, "--upstream must begin with https://"},
		{"looks like this machine", func(s *Settings) { s.Upstream = "http://127.0.0.1.example.com" }, "--upstream must begin with https://"},
		{"issuer", func(s *Settings) { s.Issuer = "x" }, "--issuer must be a URL"},
		{"no client", func(s *Settings) { s.ClientID = "" }, "--client-id is missing"},
		{"client", func(s *Settings) { s.ClientID = "a b" }, "--client-id must be"},
		{"no file", func(s *Settings) { s.SecretFile = "" }, "--client-secret-file is missing"},
		{"file is missing", func(s *Settings) { s.SecretFile = filepath.Join(dir, "x") }, "x does not exist"},
		{"file is empty", func(s *Settings) { s.SecretFile = empty }, "is empty"},
		{"file has lines", func(s *Settings) { s.SecretFile = lines }, "more than one line"},
		{"file is a folder", func(s *Settings) { s.SecretFile = dir }, "cannot be read"},
		{"everywhere", func(s *Settings) { s.Listen = "0.0.0.0:8090" }, "--listen must be on this machine"},
		{"everywhere, short", func(s *Settings) { s.Listen = ":8090" }, "--listen must be on this machine"},
		{"another machine", func(s *Settings) { s.Listen = "192.0.2.1:8090" }, "--listen must be on this machine"},
		{"no port", func(s *Settings) { s.Listen = "127.0.0.1" }, "--listen must be an address with a port"},
		{"no path", func(s *Settings) { s.Listen = "unix:" }, "--listen must name a path"},
		{"long path", func(s *Settings) { s.Listen = "unix:/" + strings.Repeat("a", 200) }, "--listen must name a path"},
		{"metrics everywhere", func(s *Settings) { s.MetricsListen = ":9464" }, ""},
		{"metrics without a port", func(s *Settings) { s.MetricsListen = "0.0.0.0" }, "--metrics-listen must be an address with a port"},
		{"folder is missing", func(s *Settings) { s.Listen = "unix:" + filepath.Join(dir, "rnu", "edge.sock") }, "rnu does not exist: create it"},
		{"folder is a file", func(s *Settings) { s.Listen = "unix:" + filepath.Join(empty, "edge.sock") }, "is not a folder"},
		{"folder exists", func(s *Settings) { s.Listen = "unix:" + filepath.Join(dir, "edge.sock") }, ""},
		{"entries", func(s *Settings) { s.MaxEntries = 0 }, "--max-entries must be"},
		{"use", func(s *Settings) { s.TokenUses = []string{"admin"} }, "--token-use must be one of"},
		{"use twice", func(s *Settings) { s.TokenUses = []string{"client", "client"} }, "--token-use must be one of"},
		{"fragment", func(s *Settings) { s.Upstream = "https://auth.example.com#" }, "--upstream must be a URL"},
		{"no use", func(s *Settings) { s.TokenUses = nil }, "--token-use is empty"},
		{"omit token_use", func(s *Settings) { s.OmitTokenUse = true }, ""},
		{"omit token_use of several", func(s *Settings) { s.OmitTokenUse, s.TokenUses = true, []string{"client", "key"} }, "--omit-token-use needs a single --token-use"},
		{"enforces", func(s *Settings) { s.Enforces = []string{"all"} }, "--enforces must be one of"},
		{"headers", func(s *Settings) { s.Headers = "both" }, "--forward-auth-headers must be forwarded or original"},
		{"policies", func(s *Settings) { s.Policies = []string{"a scope=users:read", "b", "c scope=x y token_use=client"} }, ""},
		{"policy without a name", func(s *Settings) { s.Policies = []string{"a", "scope=users:read"} }, "--forward-auth-policy number 2: must be NAME scope"},
		{"policy twice", func(s *Settings) { s.Policies = []string{"a", "a"} }, "number 2: name is used twice"},
		{"policy of a kind that the API does not accept", func(s *Settings) { s.Policies = []string{"a token_use=key"} }, "token_use must be among client"},
		{"policy with a dot", func(s *Settings) { s.Policies = []string{"a.b"} }, "name must be 1 to 64"},
		{"proxy", func(s *Settings) { s.Proxies = []string{"here"} }, "--trusted-proxy must be"},
		{"token client", func(s *Settings) { s.TokenClients = []string{"shop"} }, "--token-client must be ID=FILE"},
		{"token client twice", func(s *Settings) { s.TokenClients = append(s.TokenClients, s.TokenClients[0]) }, "more than once"},
		{"token client without a file", func(s *Settings) { s.TokenClients = []string{"shop=" + filepath.Join(dir, "x")} }, "x does not exist"},
	} {
		s := settingsOf(t, t.TempDir(), "http://127.0.0.1:8080")
		tc.edit(&s)
		_, err := s.parse()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	all := Settings{Listen: "x"}
	_, err := all.parse()
	if faults, ok := errors.AsType[Faults](err); !ok || len(faults) != 7 {
		t.Errorf("%v", err)
	}
}

// TestCAFile: authorities that cannot be read are a fault of the flag.
func TestCAFile(t *testing.T) {
	t.Parallel()
	s := settingsOf(t, t.TempDir(), "https://auth.example.com")
	for _, file := range []string{filepath.Join(t.TempDir(), "x"), s.SecretFile} {
		s.CAFile = file
		_, err := New(Options{Settings: s, Log: slog.New(slog.DiscardHandler), Guard: &fakeGuard{}})
		if err == nil || !strings.HasPrefix(err.Error(), "--ca-file the file ") {
			t.Errorf("%v", err)
		}
	}
}

// TestAddressInUse: the error says what to do.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := settingsOf(t, t.TempDir(), "http://127.0.0.1:8080")
	s.Listen = l.Addr().String()
	e, err := New(Options{Settings: s, Log: slog.New(slog.DiscardHandler), Guard: &fakeGuard{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "--listen: "+s.Listen+" is in use by another program") {
		t.Errorf("%v", err)
	}
	e.settings.Listen, e.settings.MetricsListen = "127.0.0.1:0", s.Listen
	if err := e.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "--metrics-listen: "+s.Listen+" is in use by another program") {
		t.Errorf("%v", err)
	}
}

// TestSecretFileChanges: a file that cannot be read leaves the secret as it was, and a
// change is seen although nobody sends a wrong secret.
func TestSecretFileChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := secretIn(t, filepath.Join(dir, "s"), ownSecret)
	h := newHasher()
	s, err := openSecret(TokenClient{"rs", file}, h, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	first, second := h.of("rs", ownSecret), h.of("rs", otherSecret)
	if !s.matches(&first) || s.matches(&second) {
		t.Error("at the start")
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.refresh()
	if !s.matches(&first) {
		t.Error("an empty file ends the secret")
	}
	if err := os.WriteFile(file, []byte(otherSecret+"\r\n"), 0o600); err != nil { // without a new inode
		t.Fatal(err)
	}
	s.looked.Store(-int64(lookEvery))
	if s.matches(&first) || !s.matches(&second) {
		t.Error("the new secret is not seen")
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	s.refresh()
	if s.known == nil {
		t.Error("a file that has settled is read each time")
	}
}

// TestErrorsNameFlags: what the guard says is wrong is in the words of the command line,
// since its operator knows no Go.
func TestErrorsNameFlags(t *testing.T) {
	t.Parallel()
	inGo := regexp.MustCompile(`guard:|Config|Issuer|Upstream|ClientID|TokenUses|Enforces|SecretFile|NoStream|deadline`)
	for _, tc := range []struct {
		name, issuer, registration string
		edit                       func(*Settings)
		want                       string
	}{
		{"token uses", "", `"client_id":"rs","token_uses":["client","customer"],"enforces":[],"resource":""`, nil, "Either correct --token-use, or run: grantd client update rs --token-use client"},
		{"enforces and resource", "", `"client_id":"rs","token_uses":["client"],"enforces":["endpoints"],"resource":"https://api.test"`, nil, "enforces is registered as endpoints, and --enforces is none; resource is registered as https://api.test, and --resource is none. Either correct --enforces, --resource"},
		{"another client", "", `"client_id":"other","token_uses":["client"],"enforces":[],"resource":""`, nil, "correct --client-id or the secret"},
		{"issuer", "https://auth.example.com", "", nil, "and --issuer (as --upstream, since it is not set) is"},
		{"issuer that is set", "https://auth.example.com", "", func(s *Settings) { s.Issuer = "https://auth.example.com/" }, `and --issuer is "https://auth.example.com/"`},
		{"a wrong secret", "", "", func(s *Settings) { s.SecretFile = secretIn(t, s.SecretFile, wrongSecret) }, "check that --client-id is active"},
	} {
		server := startServer(t)
		issuer := cmp.Or(tc.issuer, server.URL)
		server.respond = func(w http.ResponseWriter, r *http.Request) bool {
			_, secret, _ := r.BasicAuth()
			switch {
			case strings.HasPrefix(r.URL.Path, "/.well-known/"):
				fmt.Fprintf(w, `{"issuer":%q,"introspection_endpoint":"%[1]s/oauth/introspect","revocation_events_endpoint":"%[1]s/oauth/revocations"}`, issuer)
			case r.URL.Path == "/oauth/revocations" && secret == ownSecret:
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprintf(w, "event: registration\ndata: {%s,\"at_ms\":1}\n\n", tc.registration)
			default:
				return false
			}
			return true
		}
		s := settingsOf(t, t.TempDir(), server.URL)
		if tc.edit != nil {
			tc.edit(&s)
		}
		var logged capture.Buffer
		e, err := New(Options{Settings: s, Log: slog.New(slog.NewTextHandler(&logged, nil))})
		if err == nil {
			_ = e.Stop(t.Context())
			t.Errorf("%s: it starts", tc.name)
			continue
		}
		if got := err.Error(); !strings.Contains(got, tc.want) || inGo.MatchString(got) {
			t.Errorf("%s: %s, want %q", tc.name, got, tc.want)
		}
		if got := strings.ReplaceAll(logged.String(), "msg=\"guard: ", ""); inGo.MatchString(strings.ReplaceAll(got, "error=\"guard: ", "")) {
			t.Errorf("%s: logged %s", tc.name, got)
		}
	}
}
