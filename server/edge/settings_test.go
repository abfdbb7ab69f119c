package edge

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	for _, tc := range []struct {
		name string
		edit func(*Settings)
		want string
	}{
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
		{"entries", func(s *Settings) { s.MaxEntries = 0 }, "--max-entries must be"},
		{"use", func(s *Settings) { s.TokenUses = []string{"admin"} }, "--token-use must be one of"},
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
	if err := e.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "is in use by another program") {
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
